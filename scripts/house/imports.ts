import { readFileSync, readdirSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import ts from 'typescript'
import type { ImportGraph } from './layers.ts'

/** Every module that a source text names: imports, `import type`, re-exports, `import()`, and `import('…')` in a type. */
export function listSpecifiers(text: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.push(specifier.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('text.ts', text, ts.ScriptTarget.Latest))
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
  const isImportCall = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
  return isImportCall ? node.arguments[0] : undefined
}

/** Reads all TypeScript files below a folder, and which files of the repository each of them imports. */
export function readImportGraph(folder: string): ImportGraph {
  const files = listSources(folder)
  return new Map(files.map((file) => [file, resolveImports(file, readFileSync(join(folder, file), 'utf8'))]))
}

/** The TypeScript files below a folder, relative to it, with `/`, in order. */
export function listSources(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .map((name) => name.split(sep).join('/'))
    .filter((name) => name.endsWith('.ts'))
    .sort()
}

function resolveImports(file: string, text: string): string[] {
  const relative = listSpecifiers(text).filter((specifier) => specifier.startsWith('.'))
  return relative.map((specifier) => posix.join(posix.dirname(file), specifier))
}
