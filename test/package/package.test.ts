import { cp, mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inRoot, readText } from '../../scripts/house/repository.ts'
import { runInstalled, runTool } from '../../scripts/house/run-tool.ts'
import { listPublished, stagePackage } from '../../scripts/house/stage-package.ts'
import { mistakes, moduleOf } from './mistakes.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

/*
 * The package as it is published, in a project of somebody who has installed it: exactly the files that npm packs, and
 * beside them nothing but the dependencies that package.json promises, and the libraries that it has for its schemas.
 */

interface Manifest {
  readonly version: string
  readonly dependencies: Record<string, string>
  readonly optionalDependencies: Record<string, string>
  readonly peerDependencies: Record<string, string>
}

const manifest = JSON.parse(readText('package.json')) as Manifest
/** What the consumer depends on itself. */
const libraries = ['arktype', 'valibot', 'zod']
let folder: string
let published: string[]

beforeAll(async () => {
  folder = await realpath(makeTemporaryFolder('consumer'))
  const staged = join(folder, 'staged')
  await stagePackage(staged)
  published = await listPublished(staged)
  await cp(inRoot('test', 'package', 'consumer'), folder, { recursive: true })
  const promised = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
  await install(staged, folder, [...promised, ...libraries])
  await install(staged, join(folder, 'builders'), [...promised, ...Object.keys(manifest.peerDependencies)])
})

afterAll(() => rm(folder, { recursive: true, force: true }))

async function install(staged: string, project: string, dependencies: readonly string[]): Promise<void> {
  const target = join(project, 'node_modules', 'pg-hypervault')
  for (const file of published) await cp(join(staged, file), join(target, file))
  for (const name of dependencies) await linkDependency(name, project)
}

/** Optional ones of other platforms are not there. */
async function linkDependency(name: string, project: string): Promise<void> {
  const [source, target] = [inRoot('node_modules', name), join(project, 'node_modules', name)]
  if (!existsSync(source)) return
  await mkdir(dirname(target), { recursive: true })
  await symlink(source, target)
}

test('plain JavaScript can start a cluster and use a datastore on it', async () => {
  const { exitCode, output } = await runTool(process.execPath, ['plain.js'], folder)
  expect(output).toBe(JSON.stringify({ shardId: 4, body: { beep: 'boop' }, code: 'HV_SHARD_UNKNOWN' }))
  expect(exitCode).toBe(0)
})

test('the types pass in the strictest consumer, which also checks those of the dependencies', async () => {
  const { exitCode, output } = await runInstalled('typescript/bin/tsc', ['-p', folder])
  expect(output).toBe('')
  expect(exitCode).toBe(0)
})

/** What the compiler says of each file that uses kinds, by its name. Not of the declarations of the schema libraries. */
async function compileKinds(): Promise<Map<string, string>> {
  const files = mistakes.map((mistake, index) => [nameOf(index), moduleOf(mistake)] as const)
  await Promise.all(files.map(([file, text]) => writeFile(join(folder, file), text)))
  const names = ['kinds.ts', ...files.map(([file]) => file)]
  const config = { extends: './tsconfig.json', compilerOptions: { skipLibCheck: true }, files: names }
  await writeFile(join(folder, 'tsconfig.kinds.json'), JSON.stringify(config))
  const { output } = await runInstalled('typescript/bin/tsc', ['-p', join(folder, 'tsconfig.kinds.json')])
  return byFile(output)
}

function byFile(output: string): Map<string, string> {
  const said = new Map<string, string>()
  let file = 'nowhere'
  for (const line of output.trimEnd().split('\n')) {
    file = /([^/]+\.ts)\(\d+,\d+\): error /.exec(line)?.[1] ?? file
    said.set(file, `${said.get(file) ?? ''}${line}\n`)
  }
  return said
}

const nameOf = (index: number): string => `mistake-${index}.ts`

let compiling: Promise<Map<string, string>> | undefined
const compiled = (): Promise<Map<string, string>> => (compiling ??= compileKinds())

test('kinds pass in a strict consumer, with what their types infer', async () => {
  const said = await compiled()
  const files = mistakes.map((_mistake, index) => nameOf(index))
  expect([...said].filter(([file]) => !files.includes(file))).toEqual([])
}, 120_000)

test('no mistake with a kind or a key compiles, and the compiler says what it is', async () => {
  const said = await compiled()
  const answers = mistakes.map(({ title }, index) => ({ title, answer: said.get(nameOf(index)) ?? 'it compiles' }))
  expect(answers.filter(({ answer }, index) => !answer.includes(mistakes[index]?.says ?? ''))).toEqual([])
  expect(answers.length).toBeGreaterThan(30)
}, 120_000)

test('the types pass in a consumer with Kysely and Drizzle, which those without them need not have', async () => {
  const { exitCode, output } = await runInstalled('typescript/bin/tsc', ['-p', join(folder, 'builders')])
  expect(output).toBe('')
  expect(exitCode).toBe(0)
  expect(existsSync(join(folder, 'node_modules', 'kysely'))).toBe(false)
}, 120_000)

test('CommonJS can require it', async () => {
  const { exitCode, output } = await runTool(process.execPath, ['--no-warnings', 'required.cjs'], folder)
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: Array(6).fill('function').join() })
})

/** What a bundle in ES modules needs for the CommonJS of `pg`. */
const banner =
  "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url)"

const bundles = [
  ['esm', '.mjs', ['--external:jiti', `--banner:js=${banner}`]],
  ['esm', '.mjs', ['--external:jiti', `--banner:js=${banner}`, '--minify']],
  ['esm', '.mjs', [`--banner:js=${banner}`]],
  ['cjs', '.cjs', ['--external:jiti']],
  ['cjs', '.cjs', ['--packages=external']],
  ['cjs', '.cjs', []],
] as const

test.each(bundles.map((bundle, index) => [...bundle, index] as const))(
  'a bundle of esbuild in %s works: %s %j',
  async (format, ending, options, index) => {
    const outfile = join(folder, `bundle-${index}${ending}`)
    const flags = ['--bundle', '--platform=node', `--format=${format}`, '--log-level=error', ...options]
    const esbuild = inRoot('node_modules', 'esbuild', 'bin', 'esbuild')
    const built = await runTool(esbuild, ['bundled.js', ...flags, `--outfile=${outfile}`], folder)
    expect(built).toEqual({ exitCode: 0, output: '' })
    const work = join(folder, `work-${index}`)
    const { exitCode, output } = await runTool(process.execPath, ['--no-warnings', outfile, work], folder)
    const said = JSON.parse(output) as Record<string, unknown>
    expect(exitCode).toBe(0)
    expect(said).toMatchObject({ body: { beep: 'boop' }, name: 'ShardPool' })
    const hasCompiler = options.some((option) => option === '--external:jiti' || option === '--packages=external')
    if (hasCompiler) expect(said).toMatchObject({ epochMs: 5, ran: 1, said: '' })
    else expect(said.said).toMatch(/a bundle without the compiler for TypeScript: Leave the package jiti out/)
  },
  60_000,
)

test.each([
  ['node16', 'module', ''],
  ['nodenext', 'module', ''],
  ['node20', 'commonjs', ''],
  ['nodenext', 'commonjs', ''],
  // Older rules than those of Node.js 20.19: import() is the way, and the compiler says so.
  ['node16', 'commonjs', 'dynamic \'import("pg-hypervault")\''],
])(
  'TypeScript with module %s in a package of type %s',
  async (module, type, refusal) => {
    const project = join(folder, `ts-${module}-${type}`)
    await mkdir(project)
    await writeFile(join(project, 'package.json'), JSON.stringify({ type }))
    const names = "import { Datastore, type Key } from 'pg-hypervault'\nimport { Fleet } from 'pg-hypervault/fleet'\n"
    const use = "import { startCluster } from 'pg-hypervault/testing'\nexport type Id = Key\n"
    const print = 'console.log([Datastore, Fleet, startCluster].map((each) => typeof each).join())\n'
    await writeFile(join(project, 'main.ts'), `${names}${use}${print}`)
    const lib = ['es2023', 'esnext.disposable']
    const typeRoots = [inRoot('node_modules', '@types')]
    const compilerOptions = {
      module,
      target: 'es2022',
      lib,
      strict: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots,
    }
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
    const { output } = await runInstalled('typescript/bin/tsc', ['-p', project])
    if (refusal !== '') return expect(output).toContain(refusal)
    expect(output).toBe('')
    const ran = await runTool(process.execPath, ['--no-warnings', 'main.js'], project)
    expect(ran).toEqual({ exitCode: 0, output: 'function,function,function\n' })
  },
  60_000,
)

test('the command runs', async () => {
  const command = join('node_modules', 'pg-hypervault', 'dist', 'cli', 'main.js')
  const { exitCode, output } = await runTool(process.execPath, [command, '--version'], folder)
  expect(output).toBe(`${manifest.version}\n`)
  expect(exitCode).toBe(0)
})

test('nothing is published but what is built, the documents and the licence', () => {
  const known = /^(dist\/.+\.(js|d\.ts|js\.map)|docs\/.+\.md|(CHANGELOG|README|SECURITY)\.md|LICENSE|package\.json)$/
  expect(published.filter((file) => !known.test(file))).toEqual([])
})

test('every entry point is published with its types, and so is the licence', () => {
  const entries = ['index', 'fleet', 'testing', 'kysely', 'drizzle'].flatMap((name) => [
    `dist/${name}.js`,
    `dist/${name}.d.ts`,
  ])
  expect(published).toEqual(
    expect.arrayContaining([...entries, 'dist/cli/main.js', 'LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md']),
  )
})
