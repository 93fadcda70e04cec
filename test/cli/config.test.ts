import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { findCatalog, findConfig, loadConfig } from '../../src/cli/config/config.ts'
import { Datastore, loadConfig as loadForApplication } from '../../src/index.ts'
import { DEFAULT_EPOCH_MS } from '../../src/key/layout.ts'
import { makeFolder } from './run-cli.ts'

const entries = (host: string): string => JSON.stringify([{ shards: '1-9', host, password: 'hunter2' }])
const json = (host: string, more = ''): string => `{"connections":${entries(host)}${more}}`

const hostOf = (config: Awaited<ReturnType<typeof findConfig>>): unknown =>
  config.topology?.servers[0]?.clientConfig.host

describe('the configuration', () => {
  test.each([
    ['hypervault.config.json', json('here')],
    ['hypervault.config.mjs', `export default ${json('here')}`],
    ['hypervault.config.ts', `const host: string = 'here'\nexport default { connections: [{ shards: '1-9', host }] }`],
  ])('is read from %s in the working folder', async (name, content) => {
    await using folder = await makeFolder({ [name]: content })
    expect(hostOf(await loadConfig({ env: {}, cwd: folder.path }))).toBe('here')
  })

  test('is not looked for further up', async () => {
    await using outer = await makeFolder({ 'hypervault.config.json': json('stray') })
    const cwd = join(outer.path, 'inner')
    expect(await findConfig({ env: {}, cwd })).toEqual({ epochMs: DEFAULT_EPOCH_MS })
  })

  test('is read from the file that HYPERVAULT_CONFIG names, or rather the one that --config names', async () => {
    await using folder = await makeFolder({ 'a.json': json('a'), 'b.json': json('b') })
    const sources = { env: { HYPERVAULT_CONFIG: 'a.json' }, cwd: folder.path }
    expect(hostOf(await loadConfig(sources))).toBe('a')
    expect(hostOf(await loadConfig({ ...sources, config: 'b.json' }))).toBe('b')
  })

  test('takes single options from the environment, and rather from flags', async () => {
    await using folder = await makeFolder({ 'hypervault.config.json': json('file', ',"epochMs":1,"poolMax":3') })
    const env = { HYPERVAULT_CONNECTIONS: json('env'), HYPERVAULT_EPOCH_MS: '2' }
    const fromEnv = await loadConfig({ env, cwd: folder.path })
    expect([hostOf(fromEnv), fromEnv.epochMs, fromEnv.options.poolMax]).toEqual(['env', 2, 3])
    const fromFlags = await loadConfig({ env, cwd: folder.path, connections: entries('flag'), epochMs: '3' })
    expect([hostOf(fromFlags), fromFlags.epochMs]).toEqual(['flag', 3])
  })

  test('may be an epoch alone, which is enough to decode keys', async () => {
    await using folder = await makeFolder()
    expect(await findConfig({ env: { HYPERVAULT_EPOCH_MS: '5' }, cwd: folder.path })).toEqual({ epochMs: 5 })
  })

  test('is not left behind in a compiled form, which would hold its passwords', async () => {
    await using folder = await makeFolder({ 'hypervault.config.ts': `export default ${json('here')}` })
    await using temporary = await makeFolder()
    vi.stubEnv('TMPDIR', temporary.path)
    await loadConfig({ env: {}, cwd: folder.path })
    vi.unstubAllEnvs()
    expect([await readdir(temporary.path), await readdir(folder.path)]).toEqual([[], ['hypervault.config.ts']])
  })

  test('leaves out a logger, which might print to standard output', async () => {
    const content = `export default { ...${json('here')}, logger: { debug() {}, warn() {} } }`
    await using folder = await makeFolder({ 'hypervault.config.mjs': content })
    expect((await loadConfig({ env: {}, cwd: folder.path })).options).not.toHaveProperty('logger')
  })
})

test('what a catalog may name stands in the file, and counts also where a variable names the catalog', async () => {
  const secrets = { folders: ['/run/secrets'], hosts: ['*.db.internal'] }
  const connections = [{ shards: '1-2', host: 'h' }]
  await using folder = await makeFolder({ 'hypervault.config.json': JSON.stringify({ connections, secrets }) })
  const sources = { env: { HYPERVAULT_CATALOG: 'postgres://h/d' }, cwd: folder.path }
  expect((await findCatalog(sources))?.options).toMatchObject({ catalog: { host: 'h' }, secrets })
  expect((await loadConfig({ ...sources, env: {} })).options).not.toHaveProperty('secrets')
})

describe('a configuration that is not accepted', () => {
  test.each([
    ['x.json', '{"connections":[],"poolmax":1}', 'unknown option poolmax'],
    ['x.json', '{"connections":[]}', 'connections must have at least one entry'],
    ['x.json', '{"poolMax":1}', 'connections must be an array, got undefined'],
    ['x.json', '{"poolMax":0}', 'poolMax must be an integer'],
    ['x.json', '{"catalog":"postgres://h/d","secrets":{"folders":["x"]}}', 'secrets.folders[0] must be an absolute'],
    ['x.json', '{"connections":[{"shards":"1-2"}],"secrets":{"folder":"/x"}}', 'unknown option folder'],
    ['x.json', '[1]', 'it must hold an object of options'],
    ['x.json', '{"connections": "postgres://ada:hunter2@db"', 'it is not JSON'],
    ['x.json', '', 'it is not JSON'],
    [
      'x.mjs',
      'export const connections = []',
      'it must hold an object of options, in .ts and .mjs as its default export',
    ],
    ['x.mjs', String.raw`throw new Error('broken at\n  password: hunter2')`, 'broken at'],
    ['x.mjs', 'export default nothing', 'nothing is not defined'],
    ['x.mjs', "export default { password: 'hunter2", ''],
    ['x.ts', "export default { password: 'hunter2", ''],
    [
      'x.ts',
      "const n = 5\nexport default { password: 'hunter2'",
      'ParseError: Unexpected token, expected "," in line 2',
    ],
    ['x.ts', 'export const connections = 5', ''],
    ['x.yaml', 'connections:', 'the name must end in .ts, .mjs or .json'],
  ])('%s with %s: the error names the file and the problem', async (name, content, problem) => {
    await using folder = await makeFolder({ [name]: content })
    const refusal = loadConfig({ env: {}, cwd: folder.path, config: name })
    await expect(refusal).rejects.toMatchObject({
      code: 'HV_CONFIG_INVALID',
      details: { file: join(folder.path, name) },
    })
    await expect(refusal).rejects.toThrow(`${join(folder.path, name)}: ${problem}`)
    await expect(refusal).rejects.not.toThrow('hunter2')
  })

  test.each([
    [{ HYPERVAULT_CONNECTIONS: '[{"password":"hunter2"}' }, 'HYPERVAULT_CONNECTIONS: it is not JSON'],
    [{ HYPERVAULT_CONNECTIONS: '[{"password":"hunter2"}]' }, 'HYPERVAULT_CONNECTIONS: connections[0].shards'],
    [{ HYPERVAULT_CONNECTIONS: '"hunter2"' }, 'HYPERVAULT_CONNECTIONS: it must be a JSON array of entries'],
    [{ HYPERVAULT_CONNECTIONS: '{}' }, 'HYPERVAULT_CONNECTIONS: it must be a JSON array of entries'],
    [{ HYPERVAULT_EPOCH_MS: '2013-09-16' }, 'HYPERVAULT_EPOCH_MS: it must be milliseconds since 1970'],
    [{ HYPERVAULT_EPOCH_MS: '9999999999999999' }, 'HYPERVAULT_EPOCH_MS: epochMs must be an integer'],
  ])('%j: the error names the variable and the problem', async (env, message) => {
    await using folder = await makeFolder()
    const refusal = findConfig({ env, cwd: folder.path })
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.not.toThrow('hunter2')
  })
})

describe('a configuration that is missing', () => {
  test('is told with the folder and the names that were looked for', async () => {
    await using folder = await makeFolder()
    const refusal = loadConfig({ env: {}, cwd: folder.path })
    await expect(refusal).rejects.toMatchObject({ code: 'HV_CONFIG_NOT_FOUND', details: { folder: folder.path } })
    await expect(refusal).rejects.toThrow('hypervault.config.json')
  })

  test('is told with the file that was named', async () => {
    await using folder = await makeFolder()
    const refusal = loadConfig({ env: {}, cwd: folder.path, config: 'nowhere.json' })
    await expect(refusal).rejects.toMatchObject({ code: 'HV_CONFIG_NOT_FOUND' })
    await expect(refusal).rejects.toThrow(join(folder.path, 'nowhere.json'))
  })
})

describe('loadConfig() for an application', () => {
  test.each([
    ['hypervault.config.json', json('here', ',"poolMax":3')],
    ['hypervault.config.mjs', `export default ${json('here', ',"poolMax":3')}`],
    ['hypervault.config.ts', `export default ${json('here', ',"poolMax":3 as number')}`],
  ])('gives what a datastore takes, from %s', async (name, content) => {
    await using folder = await makeFolder({ [name]: content })
    const options = await loadForApplication({ folder: folder.path })
    if ('catalog' in options) throw new Error('a catalog that nobody named')
    await using db = new Datastore(options)
    expect(db.shard(5).pool.options).toMatchObject({ host: 'here', max: 3 })
  })

  test('takes a file that is named, and the variables that the command line takes', async () => {
    await using folder = await makeFolder({ 'a.json': json('a'), 'hypervault.config.json': '{}' })
    expect(await loadForApplication({ folder: folder.path, file: 'a.json' })).toMatchObject({
      connections: [{ host: 'a' }],
    })
    vi.stubEnv('HYPERVAULT_CATALOG', 'postgres://somewhere/catalog')
    const options = await loadForApplication({ folder: folder.path, file: 'a.json' })
    vi.unstubAllEnvs()
    expect(Object.keys(options)).toEqual(['catalog'])
  })

  test('keeps the logger of the file, which the command line leaves out', async () => {
    const logger = '{ debug() {}, warn() {} }'
    await using folder = await makeFolder({
      'hypervault.config.mjs': `export default { connections: ${entries('here')}, logger: ${logger} }`,
    })
    expect((await loadForApplication({ folder: folder.path })).logger).toBeDefined()
  })

  test('fails as the command line does', async () => {
    await using folder = await makeFolder()
    await expect(loadForApplication({ folder: folder.path })).rejects.toMatchObject({ code: 'HV_CONFIG_NOT_FOUND' })
    await using wrong = await makeFolder({ 'hypervault.config.json': '{"poolMax":0}' })
    await expect(loadForApplication({ folder: wrong.path })).rejects.toMatchObject({ code: 'HV_CONFIG_INVALID' })
  })
})
