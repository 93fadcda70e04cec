import { existsSync } from 'node:fs'
import ts from 'typescript'
import { findEntryProblems, findExportProblems, type PackageEntries } from './exports.ts'
import { listSources } from './imports.ts'
import { inRoot, readText, root } from './repository.ts'

/** What is wrong with what the files of `src` and the package export. */
export function checkExports(): string[] {
  const entries = JSON.parse(readText('package.json')) as PackageEntries
  const files = listSources(inRoot('src')).map((file) => inRoot('src', file))
  return [
    ...findEntryProblems(entries, (file) => existsSync(inRoot(file))),
    ...findExportProblems(files, root, readCompilerOptions()),
  ]
}

function readCompilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(inRoot('tsconfig.json'), (file) => ts.sys.readFile(file)) as { config: unknown }
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options
}
