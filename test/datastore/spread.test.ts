import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { catalogLayouts } from '../../src/catalog/catalog-layouts.ts'
import { addServers, placeShards } from '../../src/catalog/fleet-changes.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { readRecordedSpreads, writeSpread } from '../../src/schema/record-spread.ts'
import { provision } from '../../src/schema/provision.ts'
import { parseConnections, type ConnectionEntry } from '../../src/topology/connection-entry.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { settingsOf } from '../support/fleet.ts'
import { until } from '../support/until.ts'

const values = Array.from({ length: 300 }, (_, index) => `value ${index}`)

let databases: TestDatabases

function entries(...ranges: string[]): ConnectionEntry[] {
  return ranges.map((shards, index) => ({ ...databases.connections[index], shards }))
}

function shardsOfValues(db: Datastore): number[] {
  return values.map((value) => db.shardFor(value))
}

async function execute(index: number, ...statements: string[]): Promise<void> {
  const client = new Client(databases.connections[index])
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

beforeEach(async () => {
  databases = await createDatabases(3)
})

afterEach(() => databases.drop())

describe('a fleet', () => {
  let catalog: Catalog

  beforeEach(async () => {
    catalog = new Catalog({ ...databases.connections[0] })
    await catalog.ensure()
  })

  afterEach(() => catalog[Symbol.asyncDispose]())

  const add = (serverId: string, shardIds: number[]): Promise<number> =>
    addServers(catalog, [{ serverId, settings: settingsOf(databases.connections[1] as never), shardIds }])

  it('changes the shard of no value when servers and shards join, also in applications that run', async () => {
    await add('s1', [3, 1, 2])
    await using db = await Datastore.open({ catalog: { ...databases.connections[0] }, topologyPollMs: 60_000 })
    const before = shardsOfValues(db)
    expect(new Set(before)).toEqual(new Set([1, 2, 3]))
    await add('s2', [9, 4])
    await placeShards(catalog, 's1', [20])
    await until('the new shards are known', () => db.topology.shardIds.includes(20))
    expect(shardsOfValues(db)).toEqual(before)
    await using later = await Datastore.open({ catalog: { ...databases.connections[0] } })
    expect(shardsOfValues(later)).toEqual(before)
  })

  it('spreads over more shards when it is told to, and applications take that up as they run', async () => {
    await add('s1', [1, 2])
    await add('s2', [3, 4])
    await using fleet = await Fleet.open({ catalog: { ...databases.connections[0] } })
    await using db = await Datastore.open({ catalog: { ...databases.connections[0] }, topologyPollMs: 60_000 })
    shardsOfValues(db)
    const plan = await fleet.planSpread('1-5')
    expect(plan).toEqual({ before: [1, 2], after: [1, 2, 3, 4], movedShare: 0.5 })
    expect((await catalog.readFleet()).spread).toEqual([1, 2])
    await fleet.applySpread(plan)
    await until('the new spread is known', () => db.topology.spread.length === 4)
    expect(new Set(shardsOfValues(db))).toEqual(new Set([1, 2, 3, 4]))
    await expect(fleet.applySpread(plan)).rejects.toMatchObject({ code: 'HV_SPREAD_DIFFERS' })
    await expect(fleet.planSpread('1-9')).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN', details: { shardId: 5 } })
  })

  it('of an older release gets the shards that it has as its spread', async () => {
    await execute(0, 'drop schema hypervault cascade', 'create schema hypervault')
    const layouts = 'create table hypervault.layouts (layout integer primary key, added_at timestamptz default now())'
    await execute(0, layouts, 'insert into hypervault.layouts values (1)', ...(catalogLayouts[0] ?? []))
    await execute(0, `insert into hypervault.servers (server_id, settings) values ('s1', '{}')`)
    await execute(0, `insert into hypervault.placements values (7, 's1', 1), (5, 's1', 1)`)
    await catalog.ensure()
    expect((await catalog.readFleet()).spread).toEqual([5, 7])
  })

  it('without shards has no shard for a value', async () => {
    await using db = await Datastore.open({ catalog: { ...databases.connections[0] } })
    expect(() => db.shardFor('x')).toThrow(expect.objectContaining({ code: 'HV_SPREAD_MISSING' }))
  })

  it('takes over what the shards of connections carry', async () => {
    const connections = entries('1-3', '3-5')
    await provision(connections.slice(0, 1))
    await provision(connections)
    await using fleet = await Fleet.open({ catalog: { ...databases.connections[0] } })
    const passwords = { s1: { env: 'NONE' }, s2: { env: 'NONE' } }
    await fleet.importConnections(connections, { passwords })
    expect((await fleet.readFleet()).spread).toEqual([1, 2])
  })
})

describe('connections', () => {
  it('carry the spread in their shards, those that join as well', async () => {
    await provision(entries('1-3'))
    await provision(entries('1-3', '3-5'))
    const read = await readRecordedSpreads(parseConnections(entries('1-3', '3-5')))
    expect(read.map(({ spreads }) => spreads)).toEqual([['1-3'], ['1-3']])
  })

  it('of an older release are spread over the shards that are there, not over those that join', async () => {
    await provision(entries('1-3'))
    await execute(0, 'drop function shard0001.hv_spread', 'drop function shard0002.hv_spread')
    await provision(entries('1-3', '3-5'))
    const [, second] = await readRecordedSpreads(parseConnections(entries('1-3', '3-5')))
    expect(second?.spreads).toEqual(['1-3'])
  })

  it.each<[string, (db: Datastore) => Promise<unknown>]>([
    ['put', (db) => db.put(db.shardFor('x'), 1, {})],
    ['find', (db) => db.find(db.shardFor('x'))],
    ['query', (db) => db.shard(db.shardFor('x')).query('select 1')],
    ['transaction', (db) => db.transaction(db.shardFor('x'), () => undefined)],
    ['getConnection', (db) => db.getConnection(db.shardFor('x'))],
    ['topology.shardFor', (db) => db.put(db.topology.shardFor('x'), 1, {})],
    ['load', (db) => db.load(1, [{ a: 'b' }], { shardOf: ({ a }) => db.shardFor(a) }).finish()],
  ])('that spread over other shards than these carry are refused before anything is sent: %s', async (_, act) => {
    await provision(entries('1-3'))
    await provision(entries('1-3', '3-5'))
    await using db = new Datastore({ connections: entries('1-3', '3-5') })
    const error: unknown = await act(db).catch((thrown: unknown) => thrown)
    const cause = isHypervaultError(error, 'HV_LOAD_FAILED') ? error.cause : error
    expect(cause).toMatchObject({ code: 'HV_SPREAD_DIFFERS', details: { spread: '1-5', recorded: ['1-3'] } })
    expect(() => db.shardFor('x')).toThrow(expect.objectContaining({ code: 'HV_SPREAD_DIFFERS' }))
    await db.reinstantiate()
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: 'HV_SPREAD_DIFFERS' })
    await using told = new Datastore({ connections: entries('1-3', '3-5'), spread: '1-3' })
    expect((await told.count()).total).toBe(0)
  })

  it('that spread no values need no spread, until they do', async () => {
    await provision(entries('1-3'))
    await using db = new Datastore({ connections: entries('1-3').map((entry) => ({ ...entry, shards: '1-2' })) })
    const key = await db.put(1, 1, { a: 'b' })
    expect(() => db.shardFor('x')).toThrow(expect.objectContaining({ code: 'HV_SPREAD_DIFFERS' }))
    await using declared = new Datastore({ connections: entries('1-3'), spread: '2-3' })
    await expect(declared.get(key)).rejects.toMatchObject({ code: 'HV_SPREAD_DIFFERS' })
  })

  it('spread alike in any order, with gaps, and over a list of ranges', async () => {
    const [a, b] = entries('1-3', '9-11') as [ConnectionEntry, ConnectionEntry]
    await provision([b, a], { spread: '9-11,1-2' })
    await using one = new Datastore({ connections: [a, b], spread: '1-2,9-11' })
    await using other = new Datastore({ connections: [b, a], spread: '9-11,1-2' })
    expect(shardsOfValues(one)).toEqual(shardsOfValues(other))
    expect(new Set(shardsOfValues(one))).toEqual(new Set([1, 9, 10]))
    await expect(one.put(one.shardFor('x'), 1, {})).resolves.toBeDefined()
  })

  it('refuse a spread over shards that they do not have, and one that is malformed', () => {
    const connections = entries('1-3')
    for (const spread of ['1-4', '2-5', '', '1-3,2-4', '3-1', 'x']) {
      expect(() => new Datastore({ connections, spread }), spread).toThrow(RangeError)
    }
    expect(() => new Datastore({ connections, spread: 5 as never })).toThrow(TypeError)
  })

  it('are refused by every server as long as a change has not reached all shards', async () => {
    await provision(entries('1-5'))
    const [server] = parseConnections(entries('1-5')) as [never]
    await execute(0, `create or replace function shard0002.hv_spread() returns text language sql as $$select '1-9'$$`)
    await using db = new Datastore({ connections: entries('1-5'), spread: '1-5' })
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ details: { recorded: ['1-5', '1-9'] } })
    expect(await writeSpread([server], '1-5')).toEqual([])
    await expect(db.put(1, 1, {})).resolves.toBeDefined()
  })

  it('are provisioned over no other shards than they carry', async () => {
    await provision(entries('1-3'))
    await expect(provision(entries('1-3', '3-5'), { spread: '1-5' })).rejects.toMatchObject({
      code: 'HV_SPREAD_DIFFERS',
      details: { spread: '1-5', recorded: ['1-3'] },
    })
  })
})
