import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { blocksOf, placeOf, root } from './run-page.ts'

const guide = new URL('docs/guide/', root)
const pages = [new URL('README.md', root), ...readdirSync(guide).map((page) => new URL(page, guide))]

/** What somebody has who begins with `strict`. */
const options: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  types: ['node'],
  paths: {
    'pg-hypervault': [fileURLToPath(new URL('src/index.ts', root))],
    'pg-hypervault/*': [fileURLToPath(new URL('src/*.ts', root))],
  },
}

/** A `switch` on the code of an error says what is in its details. */
const narrowing = `
import { HypervaultError, isHypervaultError } from 'pg-hypervault'

export function guarded(error: unknown): number {
  if (!isHypervaultError(error)) return 0
  switch (error.code) {
    case 'HV_SHARD_UNKNOWN':
      return error.details.shardId
    case 'HV_LOAD_FAILED':
      return error.details.stored.length
    default:
      return error.message.length
  }
}

export function caught(error: unknown): number {
  if (error instanceof HypervaultError && error.code === 'HV_SHARD_UNKNOWN') return error.details.shardId
  return isHypervaultError(error, 'HV_SHARD_UNKNOWN') ? error.details.shardId : 0
}
`

/** The mistakes in the `ts` blocks of each page, each page being one module. */
function findMistakes(sources: ReadonlyMap<string, string>): Map<string, string[]> {
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile: read } = host
  host.fileExists = (file) => sources.has(file) || fileExists.call(host, file)
  host.readFile = (file) => sources.get(file) ?? read.call(host, file)
  host.getSourceFile = (file, version, ...others) => {
    const text = sources.get(file)
    return text === undefined
      ? getSourceFile.call(host, file, version, ...others)
      : ts.createSourceFile(file, text, version)
  }
  const program = ts.createProgram([...sources.keys()], options, host)
  return new Map([...sources.keys()].map((file) => [basename(file), describeMistakes(program, file)]))
}

function describeMistakes(program: ts.Program, file: string): string[] {
  const source = program.getSourceFile(file)
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  return found.map(({ messageText, start = 0 }) => {
    const line = source === undefined ? '' : source.text.slice(source.text.lastIndexOf('\n', start) + 1).split('\n')[0]
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')} in: ${line?.trim() ?? ''}`
  })
}

it('the code of each page is right under strict as it stands', { timeout: 120_000 }, async () => {
  const sources = await Promise.all(
    pages.map(async (page): Promise<[string, string]> => {
      const file = fileURLToPath(new URL(`test/${placeOf(page)}/${basename(page.pathname, '.md')}.page.ts`, root))
      return [file, (await blocksOf(page, 'ts')).join('\n')]
    }),
  )
  const mistakes = findMistakes(
    new Map([...sources, [fileURLToPath(new URL('test/docs/errors.page.ts', root)), narrowing]]),
  )
  expect([...mistakes].filter(([, of]) => of.length > 0)).toEqual([])
})
