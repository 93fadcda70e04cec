import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot, root } from './repository.ts'
import { runInstalled, runTool } from './run-tool.ts'

/*
 * The package is built and packed in a folder of its own, so that checks and tests neither need `dist` nor disturb it,
 * and several may run at once.
 */

/** Builds into `folder`, without checking types, which is a check of its own, and puts beside `dist` what is published with it. Rejects with the output of the compiler. */
export async function stagePackage(folder: string): Promise<void> {
  const built = await runInstalled('typescript/bin/tsc', [
    '-p',
    'tsconfig.build.json',
    '--outDir',
    join(folder, 'dist'),
    '--noCheck',
    'true',
  ])
  if (built.exitCode !== 0) throw new Error(`the build failed\n${built.output}`)
  const { files } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as { files: string[] }
  const others = files.filter((name) => name !== 'dist')
  for (const name of ['package.json', 'README.md', 'LICENSE', ...others]) copyIfThere(name, folder)
}

function copyIfThere(name: string, folder: string): void {
  if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true })
}

/** The files of a staged package that npm would publish, relative to its folder. */
export async function listPublished(folder: string): Promise<string[]> {
  const packed = await runTool('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], folder)
  if (packed.exitCode !== 0) throw new Error(`npm pack failed\n${packed.output}`)
  const [{ files }] = JSON.parse(packed.output) as [{ files: { path: string }[] }]
  return files.map(({ path }) => path)
}
