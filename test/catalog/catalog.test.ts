import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { catalogLayouts } from '../../src/catalog/catalog-layouts.ts'
import { addServers, placeShards, removeServer, setServerState } from '../../src/catalog/fleet-changes.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
import { ServerAccess } from '../../src/catalog/server-access.ts'
import { parseServerSettings, type ServerSettings } from '../../src/catalog/server-settings.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { settingsOf } from '../support/fleet.ts'

let databases: TestDatabases
let catalog: Catalog

beforeEach(async () => {
  databases = await createDatabases(1)
  catalog = new Catalog({ ...databases.connections[0] })
})

afterEach(async () => {
  await catalog[Symbol.asyncDispose]()
  await databases.drop()
})

function toClientConfig(settings: ServerSettings): ClientConfig {
  const places = new SecretPlaces({ folders: [inject('temporaryFolder')] })
  return new ServerAccess({ serverId: 's1', settings }, places).clientConfig
}

const settings = { host: 'db1', password: { env: 'DB1_PASSWORD' } }

async function execute(...statements: string[]): Promise<void> {
  const client = new Client(databases.connections[0])
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

describe('the layout of a catalog', () => {
  it('is made once, also by several at the same time', async () => {
    const counts = await Promise.all([catalog.ensure(), catalog.ensure(), catalog.ensure()])
    expect(counts.sort()).toEqual([0, 0, catalogLayouts.length])
    expect(await catalog.ensure()).toBe(0)
    await expect(catalog.assert()).resolves.toBeUndefined()
  })

  it('that is missing is told as such', async () => {
    await expect(catalog.assert()).rejects.toMatchObject({ code: 'HV_CATALOG_MISSING' })
  })

  it('that is newer than this release is refused', async () => {
    await catalog.ensure()
    await execute('insert into hypervault.layouts (layout) values (99)')
    await expect(catalog.assert()).rejects.toMatchObject({ code: 'HV_CATALOG_LAYOUT', details: { found: 99 } })
    await expect(catalog.ensure()).rejects.toMatchObject({ code: 'HV_CATALOG_LAYOUT' })
  })
})

describe('the servers of a fleet', () => {
  beforeEach(() => catalog.ensure())

  it('are read as they were added, with an epoch that grew', async () => {
    const before = await catalog.readFleet()
    expect(before).toEqual({ epoch: 1, servers: [] })
    const epoch = await addServers(catalog, [
      { serverId: 's2', settings: { host: 'db2' }, shardIds: [7, 3] },
      { serverId: 's1', settings },
    ])
    expect(await catalog.readFleet()).toEqual({
      epoch,
      servers: [
        { serverId: 's1', settings, state: 'active', shardIds: [] },
        { serverId: 's2', settings: { host: 'db2' }, state: 'active', shardIds: [3, 7] },
      ],
      spread: [3, 7],
    })
    expect(epoch).toBe(2)
  })

  it('with a taken name or a placed shard are refused, and none of the others is added', async () => {
    await addServers(catalog, [{ serverId: 's1', settings, shardIds: [1] }])
    const added = addServers(catalog, [
      { serverId: 's2', settings },
      { serverId: 's1', settings },
    ])
    await expect(added).rejects.toMatchObject({ code: 'HV_SERVER_EXISTS', details: { serverId: 's1' } })
    const placed = addServers(catalog, [{ serverId: 's3', settings, shardIds: [1, 2] }])
    await expect(placed).rejects.toMatchObject({ code: 'HV_SHARD_PLACED', details: { shardIds: [1] } })
    expect((await catalog.readFleet()).servers.map(({ serverId }) => serverId)).toEqual(['s1'])
  })

  it('get shards that live nowhere', async () => {
    await addServers(catalog, [{ serverId: 's1', settings }])
    await placeShards(catalog, 's1', [4, 5])
    await expect(placeShards(catalog, 's1', [5])).rejects.toMatchObject({ code: 'HV_SHARD_PLACED' })
    await expect(placeShards(catalog, 's9', [6])).rejects.toMatchObject({ code: 'HV_SERVER_UNKNOWN' })
    expect((await catalog.readFleet()).servers[0]?.shardIds).toEqual([4, 5])
  })

  it('are drained, and leave when they are empty', async () => {
    await addServers(catalog, [{ serverId: 's1', settings, shardIds: [1] }])
    await setServerState(catalog, 's1', 'draining')
    expect((await catalog.readFleet()).servers[0]?.state).toBe('draining')
    await expect(removeServer(catalog, 's1')).rejects.toMatchObject({
      code: 'HV_SERVER_IN_USE',
      details: { shards: 1 },
    })
    await execute('delete from hypervault.placements')
    await removeServer(catalog, 's1')
    expect((await catalog.readFleet()).servers).toEqual([])
  })

  it('change with an entry in the history that says who did what', async () => {
    await addServers(catalog, [{ serverId: 's1', settings }], { actor: 'ada' })
    const rows = await catalog.withSession((session) =>
      session.read({ text: 'select epoch, actor, action, details from hypervault.history' }),
    )
    expect(rows).toEqual([['2', 'ada', 'add server', expect.stringContaining('"s1"')]])
  })
})

describe('the database itself', () => {
  beforeEach(async () => {
    await catalog.ensure()
    await addServers(catalog, [
      { serverId: 's1', settings, shardIds: [1] },
      { serverId: 's2', settings },
    ])
  })

  it.each([
    ['an epoch that goes back', 'update hypervault.topology set epoch = epoch - 1'],
    ['an epoch that stands still', 'update hypervault.topology set epoch = epoch'],
    ['a topology without an epoch', 'delete from hypervault.topology'],
    ['a shard on two servers', "insert into hypervault.placements values (1, 's2', 9)"],
    ['a shard that no key can name', "insert into hypervault.placements values (8192, 's2', 9)"],
    ['a shard on a server that is not there', "insert into hypervault.placements values (2, 's9', 9)"],
    ['a server with shards that leaves', "delete from hypervault.servers where server_id = 's1'"],
  ])('refuses %s', async (_, sql) => {
    await expect(execute(sql)).rejects.toThrow()
  })
})

describe('the settings of a server', () => {
  it.each([
    [{ password: 'hunter2' }, 'settings.password must be { env'],
    [{ password: { env: '' } }, 'settings.password must be { env'],
    [{ password: { env: 'A', file: 'b' } }, 'settings.password must be { env'],
    [{ connectionString: 'postgres://ada:hunter2@db1/x' }, 'unknown connectionString'],
    [{ port: '5432' }, 'settings.port must be a number'],
    [{ ssl: { ca: 'hunter2' } }, 'settings.ssl.ca must be { file'],
    ['hunter2', 'settings must be an object'],
  ])('%j are refused, without a word of the secret', (value, problem) => {
    expect(() => parseServerSettings(value)).toThrow(problem)
    expect(() => parseServerSettings(value)).not.toThrow('hunter2')
  })

  it('name a variable or a file whose content is read for each connection', async () => {
    const file = join(mkdtempSync(join(inject('temporaryFolder'), 'secret-')), 'password')
    writeFileSync(file, 'first\n')
    const { password } = toClientConfig(parseServerSettings({ password: { file } })) as { password(): Promise<string> }
    expect(await password()).toBe('first')
    writeFileSync(file, 'second')
    expect(await password()).toBe('second')
    const unset = toClientConfig({ password: { env: 'PG_TEST_UNSET' } }) as { password(): Promise<string> }
    await expect(unset.password()).rejects.toMatchObject({
      code: 'HV_SERVER_UNUSABLE',
      details: { reason: 'the environment variable PG_TEST_UNSET is not set' },
    })
  })

  it('lead to a server', async () => {
    const [connection] = databases.connections
    if (connection === undefined) throw new Error('no database')
    const client = new Client(toClientConfig(settingsOf(connection)))
    await client.connect()
    await client.end()
  })
})
