import { relative } from 'node:path'
import ts from 'typescript'

/** What of package.json says how the package is entered. */
export interface PackageEntries {
  readonly exports: Readonly<Record<string, unknown>>
  readonly bin?: Readonly<Record<string, string>>
}

/** One line for each exported name without a doc comment at its declaration, and for each default export. */
export function findExportProblems(files: readonly string[], root: string, options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(files, options)
  return files.flatMap((file) => judgeModule(program, file).map((problem) => `${relative(root, file)} ${problem}`))
}

function judgeModule(program: ts.Program, file: string): string[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) return []
  return checker
    .getExportsOfModule(module)
    .flatMap((symbol) => judgeExport(checker, symbol))
    .sort()
}

function judgeExport(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  if (symbol.name === 'default') return ['has a default export']
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
  const declared = isAlias ? checker.getAliasedSymbol(symbol) : symbol
  const isDocumented = declared.getDocumentationComment(checker).length > 0 || declared.getJsDocTags(checker).length > 0
  return isDocumented ? [] : [`exports ${symbol.name} without a doc comment at its declaration`]
}

/** One line for each target of `exports` and `bin` in package.json that no source file is compiled to. */
export function findEntryProblems(entries: PackageEntries, exists: (file: string) => boolean): string[] {
  const targets = Object.entries(entries.exports).flatMap(([name, target]) => judgeTarget(name, target, exists))
  const commands = Object.entries(entries.bin ?? {}).flatMap(([name, file]) => judgeBuilt(`bin ${name}`, file, exists))
  return [...targets, ...commands]
}

function judgeTarget(name: string, target: unknown, exists: (file: string) => boolean): string[] {
  const label = `exports["${name}"]`
  if (typeof target === 'string') return exists(target) ? [] : [`${label} names ${target}, which does not exist`]
  const { types, default: file } = target as { types?: string; default?: string }
  if (file === undefined) return [`${label} has no "default"`]
  if (types !== file.replace(/\.js$/, '.d.ts')) return [`${label} has no "types" that belong to ${file}`]
  if (Object.keys(target as object)[0] !== 'types') return [`${label} must name "types" first`]
  return judgeBuilt(label, file, exists)
}

function judgeBuilt(label: string, file: string, exists: (file: string) => boolean): string[] {
  const source = file.replace(/^(\.\/)?dist\/(.*)\.js$/, 'src/$2.ts')
  return source !== file && exists(source) ? [] : [`${label} names ${file}, but ${source} does not exist`]
}
