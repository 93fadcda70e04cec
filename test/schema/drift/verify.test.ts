import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tryLockShard } from '../../../src/schema/shard-lock.ts'
import { provision } from '../../../src/schema/provision.ts'
import type { DriftReport } from '../../../src/schema/drift/drift-report.ts'
import { verifyShards } from '../../../src/schema/drift/verify-shards.ts'
import { parseConnections } from '../../../src/topology/connection-entry.ts'
import { Topology } from '../../../src/topology/topology.ts'
import { createDatabases, type TestDatabases } from '../../support/databases.ts'
import { entriesOf, withClient } from '../servers.ts'

let databases: TestDatabases
let topology: Topology

beforeAll(async () => {
  databases = await createDatabases(2)
  const entries = entriesOf(databases, '1-31', '31-61')
  await provision(entries)
  topology = new Topology(parseConnections(entries))
  await execute(0, eachShard(1, 30))
  await execute(1, eachShard(31, 60))
})

afterAll(() => databases.drop())

/** Tables of an application, the same in all shards. */
function eachShard(first: number, last: number): string {
  return `do $$ begin
    for id in ${first}..${last} loop
      execute replace($s$
        create type %.mood as enum ('glad', 'sad');
        create function %.twice(n integer) returns integer language sql as 'select n * 2';
        create table %.photos (id bigint primary key default %.next_id(), title text not null default 'none',
          mood %.mood, size integer constraint positive check (size > 0), double integer generated always as (size * 2) stored);
        create index by_title on %.photos (title) where size > 3;
        create trigger same before update on %.photos for each row execute function suppress_redundant_updates_trigger();
        create view %.titles as select title from %.photos;
      $s$, '%', 'shard' || lpad(id::text, 4, '0'));
    end loop;
  end $$`
}

function execute(server: number, text: string): Promise<unknown> {
  return withClient(databases.connections[server], (client) => client.query(text))
}

/** Changes one shard, looks, and changes it back. */
async function whileChanged(change: string, undo: string): Promise<DriftReport> {
  await execute(1, change)
  try {
    return await verifyShards(topology)
  } finally {
    await execute(1, undo)
  }
}

describe('verifying', () => {
  test('finds nothing in shards that are made of the same, of whatever number and on whatever server', async () => {
    const done: number[] = []
    const report = await verifyShards(topology, { onProgress: (event) => done.push(event.done) })
    expect(report.failures).toEqual([])
    expect(report).toMatchObject({ isClean: true, absent: [], invalidIndexes: [], failures: [] })
    expect(report.groups).toMatchObject([{ isReference: true, missing: [], extra: [], shardIds: topology.shardIds }])
    expect(report.leftOut).toContain('security labels')
    expect(done).toEqual([30, 30])
  })

  test.each([
    [
      'a missing column',
      'drop column title cascade',
      "add column title text not null default 'none'; create index by_title on shard0040.photos (title) where size > 3; create view shard0040.titles as select title from shard0040.photos",
      'column photos.title',
    ],
    ['another type', 'alter column size type bigint', 'alter column size type integer', 'column photos.size integer'],
    [
      'another default',
      "alter column title set default 'x'",
      "alter column title set default 'none'",
      "column photos.title text not null default 'none'",
    ],
    [
      'a column that may be null',
      'alter column title drop not null',
      'alter column title set not null',
      'column photos.title text not null',
    ],
    [
      'a constraint that was dropped',
      'drop constraint positive',
      'add constraint positive check (size > 0)',
      'constraint positive on photos: CHECK',
    ],
    [
      'a trigger that is off',
      'disable trigger same',
      'enable trigger same',
      'CREATE TRIGGER same BEFORE UPDATE ON photos',
    ],
  ])('finds %s in one shard, and says what it is', async (_, change, undo, line) => {
    const prefix = 'alter table shard0040.photos'
    const isGenerated = change.includes('type')
    const report = await whileChanged(
      `${isGenerated ? `${prefix} drop column double;` : ''}${prefix} ${change}`,
      `${prefix} ${undo}${isGenerated ? `; ${prefix} add column double integer generated always as (size * 2) stored` : ''}`,
    )
    expect(report.isClean).toBe(false)
    expect(report.groups).toHaveLength(2)
    const [reference, other] = report.groups
    expect([reference?.shardIds.length, other?.shardIds]).toEqual([59, [40]])
    expect(other?.missing.join('\n')).toContain(line)
  })

  test.each([
    [
      'another body of a function',
      "create or replace function shard0041.twice(n integer) returns integer language sql as 'select n + n'",
      "create or replace function shard0041.twice(n integer) returns integer language sql as 'select n * 2'",
      'select n + n',
    ],
    [
      'a next_id() of somebody else',
      'create or replace function shard0041.next_id(out result bigint) language sql as $$ select 1::bigint $$',
      '',
      'select 1::bigint',
    ],
    ['a table too many', 'create table shard0041.more (id integer)', 'drop table shard0041.more', 'table more'],
    ['a value of an enumeration', "alter type shard0041.mood add value 'calm'", '', "'calm'"],
    [
      'a cache of a sequence',
      'alter sequence shard0041.table_id_seq cache 10',
      'alter sequence shard0041.table_id_seq cache 1',
      'cache 10',
    ],
  ])('finds %s', async (_, change, undo, line) => {
    const report = await whileChanged(change, undo)
    const other = report.groups.find(({ shardIds }) => shardIds.includes(41))
    expect(other?.shardIds).toEqual([41])
    expect(other?.extra.join('\n')).toContain(line)
  })

  test('compares with the shard that it is told, and refuses one that nobody holds', async () => {
    await execute(1, 'create table shard0042.more (id integer)')
    const { groups } = await verifyShards(topology, { reference: 42 })
    expect(groups[0]).toMatchObject({ isReference: true, shardIds: [42] })
    expect(groups.at(-1)?.missing.join('\n')).toContain('table more')
    await execute(1, 'drop table shard0042.more')
    await expect(verifyShards(topology, { reference: 99 })).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    await expect(verifyShards(topology, { fixed: true } as never)).rejects.toThrow('unknown option fixed')
  })

  test('finds an index that is not valid, and rebuilds it when told to and nobody else changes the shard; one over doubles stays', async () => {
    await execute(0, "insert into shard0007.photos (title) values ('twin'), ('twin')")
    const building = execute(0, 'create unique index concurrently twins on shard0007.photos (title)')
    await expect(building).rejects.toThrow('could not create unique index')
    const left = { serverId: 's1', shardId: 7, name: 'twins' }
    expect(await verifyShards(topology)).toMatchObject({ isClean: false, invalidIndexes: [left], fixedIndexes: [] })
    const failed = await verifyShards(topology, { fix: true })
    expect(failed.fixedIndexes).toEqual([])
    expect(failed.invalidIndexes).toContainEqual(left)
    await execute(0, "delete from shard0007.photos where title = 'twin'")
    for (const purpose of ['layout', 'index'] as const) {
      const { text, values } = tryLockShard(7, purpose)
      const held = await withClient(databases.connections[0], async (client) => {
        await client.query(text, values as unknown[])
        return verifyShards(topology, { fix: true })
      })
      expect(held.fixedIndexes).toEqual([])
    }
    const fixed = await verifyShards(topology, { fix: true })
    expect(fixed.fixedIndexes).toContainEqual(left)
    expect(fixed.invalidIndexes).toEqual([])
    await execute(0, 'drop index shard0007.twins')
  })

  test('names the shards that are not there, and a server that does not answer, and compares the others', async () => {
    const entries = [...entriesOf(databases, '1-31', '31-63'), { host: '127.0.0.1', port: 1, shards: '100-101' }]
    const report = await verifyShards(new Topology(parseConnections(entries)), { connectTimeoutMs: 2_000 })
    expect(report.absent).toEqual([61, 62])
    expect(report.failures).toMatchObject([{ serverId: 's3', code: 'HV_CONNECT_FAILED' }])
    expect(report.groups.flatMap(({ shardIds }) => shardIds)).toHaveLength(60)
    expect(report.isClean).toBe(false)
  })

  test('ends with the reason of its signal', async () => {
    await expect(verifyShards(topology, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})
