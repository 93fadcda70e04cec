import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addServers, changeSettings } from '../../src/catalog/fleet-changes.ts'
import { readServerSettings } from '../../src/catalog/server-settings.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

/*
 * Server s2 has the shards 3 and 4, and something is wrong with its row, or with what the row names.
 */

let fleet: TestFleet
let folder: string
let warnings: { readonly fields: Record<string, unknown>; readonly message: string | undefined }[]

beforeEach(async () => {
  fleet = await createFleet()
  folder = makeTemporaryFolder('unusable')
  warnings = []
})

afterEach(() => fleet[Symbol.asyncDispose]())

const logger = {
  debug: () => undefined,
  warn: (fields: object, message?: string) =>
    void warnings.push({ fields: fields as Record<string, unknown>, message }),
}

const open = (more: { topologyPollMs?: number; topologyFile?: string } = {}): Promise<Datastore> =>
  Datastore.open({
    catalog: { ...fleet.catalogConnection },
    logger,
    topologyPollMs: 3_600_000,
    secrets: { folders: [folder] },
    ...more,
  })

const good = (): Record<string, unknown> => ({ ...settingsOf(fleet.connections[1] as ServerConnection) })

/** Writes the row of s2 as somebody else would: without this release looking at it. */
async function write(settings: unknown, { isEpochRaised = true } = {}): Promise<number> {
  const text = 'update hypervault.servers set settings = $1 where server_id = $2'
  const values = [JSON.stringify(settings), 's2']
  if (!isEpochRaised) {
    await fleet.catalog.withSession((session) => session.read({ text, values }))
    return (await fleet.catalog.readFleet()).epoch
  }
  const { epoch } = await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({ text, values }),
  )
  return epoch
}

const told = (): unknown[] => warnings.filter(({ fields }) => fields.code === 'HV_SERVER_UNUSABLE')

const badRows: [string, (row: Record<string, unknown>) => unknown, string | RegExp][] = [
  [
    'a file of a CA that this machine lacks',
    (row) => ({ ...row, ssl: { ca: { file: join(folder, 'none.pem') } } }),
    'ENOENT',
  ],
  ['a folder in the place of a CA', (row) => ({ ...row, ssl: { ca: { file: folder } } }), 'not a regular file'],
  ['a device in the place of a CA', (row) => ({ ...row, ssl: { ca: { file: '/dev/zero' } } }), 'not a regular file'],
  ['a key that is no key', (row) => ({ ...row, ssl: { key: { file: writeFile('not a key') } } }), /.+/],
  [
    'a variable that is not set here',
    (row) => ({ ...row, password: { env: 'HYPERVAULT_TEST_UNSET' } }),
    'HYPERVAULT_TEST_UNSET is not set',
  ],
  [
    'a file of a password that this machine lacks',
    (row) => ({ ...row, password: { file: join(folder, 'none') } }),
    'ENOENT',
  ],
  [
    'a folder in the place of a password',
    (row) => ({ ...row, password: { file: makeFolder() } }),
    'not a regular file',
  ],
  ['a password in the clear', (row) => ({ ...row, password: 'hunter2' }), 'its settings.password must be'],
  ['a password of another kind', (row) => ({ ...row, password: { vault: 'x' } }), 'its settings.password must be'],
  ['a port that is a text', (row) => ({ ...row, port: '5432' }), 'its settings.port must be a number'],
  ['a port that there is not', (row) => ({ ...row, port: 70_000 }), 'its settings.port must be an integer'],
  ['a host that is a list', (row) => ({ ...row, host: ['a', 'b'] }), 'its settings.host must be a text'],
  ['an empty user', (row) => ({ ...row, user: '' }), 'its settings.user must be a text'],
  ['TLS of another kind', (row) => ({ ...row, ssl: 'verify-full' }), 'its settings.ssl must be an object'],
  [
    'a switch that is a text',
    (row) => ({ ...row, ssl: { rejectUnauthorized: 'no' } }),
    'rejectUnauthorized must be true or false',
  ],
  [
    'a certificate that is a text',
    (row) => ({ ...row, ssl: { ca: '-----BEGIN' } }),
    "its settings.ssl.ca must be { file: '/path' }",
  ],
  [
    'a connection string that cannot be parsed',
    () => ({ connectionString: 'postgres://ada:hunter2@[x' }),
    'it has connectionString',
  ],
  [
    'a connection string beside a host',
    (row) => ({ ...row, connectionString: 'postgres://b' }),
    'it has connectionString',
  ],
  [
    'hosts of a newer release, and no host',
    ({ host: _, ...row }) => ({ ...row, hosts: ['a', 'b'] }),
    'it has no host, and hosts',
  ],
  ['a list', () => [1], 'its settings must be an object, got an array'],
  ['a text', () => 'hunter2', 'its settings must be an object, got string'],
  ['nothing', () => null, 'its settings must be an object, got null'],
]

function makeFolder(): string {
  return makeTemporaryFolder('folder', folder)
}

function writeFile(text: string): string {
  const file = join(folder, 'file')
  writeFileSync(file, text)
  return file
}

describe('a server whose row has', () => {
  it.each(badRows)('%s is unusable, and no other one', async (_, spoil, reason) => {
    await using before = await open()
    const row = good()
    const epoch = await write(spoil(row))
    await until('the new epoch', () => before.topology.epoch === epoch)
    await using after = await open()
    for (const db of [before, after]) {
      expect((await db.get(await db.put(1, 1, { a: 'b' })))?.body).toEqual({ a: 'b' })
      const error: unknown = await db.put(3, 1, {}).catch((each: unknown) => each)
      expect(error).toMatchObject({
        code: 'HV_SERVER_UNUSABLE',
        retryable: false,
        details: { serverId: 's2', reason: expect.stringMatching(toPattern(reason)) as string },
      })
      expect(String(error)).not.toContain('hunter2')
      await expect(db.shard(4).query('select 1')).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
      await expect(db.getConnection(4)).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    }
    expect(told()).toHaveLength(2)
    await write(row)
    for (const db of [before, after]) {
      await until('it is put right', () => db.put(3, 1, {}).then(Boolean, () => false))
    }
  })
})

function toPattern(reason: string | RegExp): RegExp {
  return typeof reason === 'string' ? new RegExp(reason.replaceAll(/[[\]{}().:/]/g, String.raw`\$&`)) : reason
}

describe('an unusable server', () => {
  it('can be used as soon as the file is there, and is told of again when it is gone', async () => {
    const [password, gone] = [join(folder, 'password'), join(folder, 'gone')]
    await write({ ...good(), password: { file: password } })
    await using db = await open()
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    expect(told()).toHaveLength(1)
    writeFileSync(password, fleet.connections[1]?.password ?? '')
    await db.put(3, 1, {})
    renameSync(password, gone)
    await db.reinstantiate()
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    expect(told()).toHaveLength(2)
  })

  it('can be used as soon as the variable is set', async () => {
    const name = 'HYPERVAULT_TEST_LATE'
    await write({ ...good(), password: { env: name } })
    await using db = await open()
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    process.env[name] = fleet.connections[1]?.password
    try {
      await db.put(3, 1, {})
    } finally {
      delete process.env[name]
    }
  })

  it('is put right by a row that was corrected without an epoch', async () => {
    await write({ port: 'x' })
    await using db = await open({ topologyPollMs: 50 })
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await write(good(), { isEpochRaised: false })
    await until('it is put right', () => db.put(3, 1, {}).then(Boolean, () => false))
  })

  it('does not keep an application from starting by its file while the catalog is down', async () => {
    const topologyFile = join(folder, 'topology.json')
    await write({ ...good(), port: 'x' })
    await (await open({ topologyFile })).disconnect()
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection, port: 1 }, topologyFile })
    await db.put(1, 1, {})
    await expect(db.put(3, 1, {})).rejects.toMatchObject({
      code: 'HV_SERVER_UNUSABLE',
      details: { reason: expect.stringContaining('its settings.port') as string },
    })
  })

  it('does not keep topologies from being adopted', async () => {
    await using db = await open()
    await write({ ...good(), password: 5 })
    await addServers(fleet.catalog, [{ serverId: 's9', settings: { host: 'db9' }, shardIds: [9] }])
    await until('the new server', () => db.topology.findServer(9)?.serverId === 's9')
  })

  it('is left out by calls to several shards, as one that is down', async () => {
    await write({ ...good(), port: 'x' })
    await using db = await open()
    const key = await db.put(1, 1, { a: 'b' })
    const found: unknown[] = []
    for await (const entity of db.scan({ onShardError: 'skip' })) found.push(entity.key.id)
    expect(found).toEqual([key.id])
    await expect(db.count()).rejects.toMatchObject({
      code: 'HV_COUNT_FAILED',
      details: { failures: [{ shardId: 3, code: 'HV_SERVER_UNUSABLE' }, { shardId: 4 }] },
    })
  })

  it('is a finding of the doctor, who examines the others', async () => {
    await write({ ...good(), ssl: { ca: { file: join(folder, 'none.pem') } } })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    const { isHealthy, servers, findings } = await operator.doctor()
    expect(isHealthy).toBe(false)
    expect(servers.map(({ isReachable }) => isReachable)).toEqual([true, false, true])
    expect(findings).toContainEqual(
      expect.objectContaining({
        kind: 'server-unusable',
        level: 'problem',
        serverId: 's2',
        what: expect.stringContaining('ENOENT') as string,
      }),
    )
    await expect(operator.planMove(1, { to: 's2' })).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
  })
})

describe('a setting that this release does not know', () => {
  const newer = { sslmode: 'verify-full', ssl: { minVersion: 'TLSv1.3' }, retired: null }

  it('is ignored, with a word in the log', async () => {
    const row = { ...good(), ...newer }
    await write({ ...row, ssl: undefined })
    await using db = await open()
    await db.put(3, 1, {})
    const ignored = warnings.filter(({ message }) => message?.includes('ignored'))
    expect(ignored.map(({ fields }) => fields)).toEqual([{ serverId: 's2', ignored: ['retired', 'sslmode'] }])
    expect(readServerSettings(row)).toMatchObject({
      settings: { ssl: {} },
      ignored: ['sslmode', 'retired', 'ssl.minVersion'],
    })
  })

  it('is a notice of the doctor', async () => {
    await write({ ...good(), sslmode: 'verify-full' })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    const { findings } = await operator.doctor()
    expect(findings.filter(({ kind }) => kind === 'settings-ignored')).toMatchObject([
      { level: 'notice', serverId: 's2', what: expect.stringContaining('sslmode') as string },
    ])
  })

  it.each([
    ['addServer', (operator: Fleet, settings: object) => operator.addServer('s9', settings)],
    ['setServer', (operator: Fleet, settings: object) => operator.setServer('s2', settings)],
  ])('is refused by %s', async (_, write) => {
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    await expect(write(operator, { host: 'db9', ...newer, ssl: true })).rejects.toThrow('unknown sslmode, retired')
    await expect(write(operator, { host: 'db9', ssl: newer.ssl })).rejects.toThrow('unknown minVersion')
  })
})

describe('the settings of a server', () => {
  it('are changed one by one, and what is not named stays, also what a newer release wrote', async () => {
    await write({ ...good(), user: 7, sslmode: 'verify-full' })
    await using db = await open()
    await expect(db.put(3, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    const user = fleet.connections[1]?.user ?? ''
    await operator.setServer('s2', { user }, { isDryRun: true })
    await operator.setServer('s2', { user })
    await until('it is put right', () => db.put(3, 1, {}).then(Boolean, () => false))
    const find = async (): Promise<unknown> => (await operator.readFleet()).servers[1]
    expect(await find()).toMatchObject({ settings: good(), ignored: ['sslmode'] })
    await operator.setServer('s2', {}, { unset: ['sslmode'] })
    expect(await find()).not.toHaveProperty('ignored')
  })

  it('are not changed for a server that is not there, nor to what could not be used', async () => {
    await expect(changeSettings(fleet.catalog, 's9', { settings: { user: 'x' } })).rejects.toMatchObject({
      code: 'HV_SERVER_UNKNOWN',
    })
    await write({ ...good(), port: 'x' })
    const changed = changeSettings(fleet.catalog, 's2', { settings: { user: 'x' } })
    await expect(changed).rejects.toThrow('server s2 could not be used: its settings.port')
  })
})
