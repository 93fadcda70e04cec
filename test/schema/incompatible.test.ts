import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isHypervaultError, type HypervaultError } from '../../src/errors.ts'
import { Key } from '../../src/key/key.ts'
import { planProvision, provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { entriesOf, rejectionOf, rowsOf, wholeShards, withClient } from './servers.ts'

let databases: TestDatabases

beforeEach(async () => void (databases = await createDatabases(2)))
afterEach(() => databases.drop())

const run = (server: 0 | 1, sql: string): Promise<unknown> =>
  withClient(databases.connections[server], (client) => client.query(sql))

/** A function of another text than ours and the original's, with the same keys. */
function differentNextId(shardId: number): string {
  return `create or replace function shard000${shardId}.next_id(out result bigint) language plpgsql as $$ begin
    result := ((floor(extract(epoch from clock_timestamp()) * 1000)::bigint - 1379365531352) << 23)
      + ${shardId} * 1024 + nextval('shard000${shardId}.table_id_seq') % 1024;
  end $$`
}

/** The problems that stop provisioning, by shard. */
async function problemsOf(promise: Promise<unknown>): Promise<Record<number, string[]>> {
  const error = await rejectionOf(promise)
  if (!isHypervaultError(error, 'HV_SHARD_INCOMPATIBLE')) throw error
  const problems: Record<number, string[]> = {}
  for (const { shardId, problem } of error.details.shards) (problems[shardId] ??= []).push(problem)
  return problems
}

describe('a schema that cannot be a shard', () => {
  it.each([
    ['alter table shard0002.entities alter column id type int', 'column id is integer, not bigint'],
    ['alter table shard0002.entities alter column type type text', 'column type is text, not smallint'],
    ['alter table shard0002.entities alter column body type json using null', 'column body is json, not hstore'],
    ['alter table shard0002.entities alter column body drop not null', 'column body accepts null'],
    ['alter table shard0002.entities drop column type', 'column type is missing'],
    ['alter table shard0002.entities add column x int not null', 'column x is required and has no default'],
    [
      'alter table shard0002.entities alter column updated type timestamptz',
      'column updated is timestamp with time zone, not timestamp without time zone',
    ],
    ['alter table shard0002.entities drop constraint entities_pk', 'its primary key is not (id)'],
    [
      'alter table shard0002.entities drop constraint entities_pk, add constraint entities_pk primary key (id, type)',
      'its primary key is not (id)',
    ],
    [
      'alter table shard0002.entities alter column id set default shard0001.next_id()',
      'the default of column id is not next_id() of this schema',
    ],
    [
      'alter table shard0002.entities alter column id set default shard0002.next_id() + 1',
      'the default of column id is not next_id() of this schema',
    ],
    [
      'drop table shard0002.entities; create view shard0002.entities as select 1 as id',
      'entities is not an ordinary table',
    ],
    [
      'drop table shard0002.entities; create table shard0002.orders (x int); create table shard0002.users (x int)',
      'it has no table entities, but holds orders, users',
    ],
    [
      'drop sequence shard0002.table_id_seq; create table shard0002.table_id_seq (x int)',
      'table_id_seq is not a sequence',
    ],
    [
      `drop function shard0002.next_id() cascade;
       create function shard0002.next_id() returns text language sql as $$ select 'x' $$`,
      'next_id() returns text, not bigint',
    ],
  ])('is named with what differs: %s', async (sql, problem) => {
    await provision(entriesOf(databases, '1-4'))
    await run(0, sql)
    expect((await problemsOf(provision(entriesOf(databases, '1-4'))))[2]).toContain(problem)
    expect((await problemsOf(planProvision(entriesOf(databases, '1-4'))))[2]).toContain(problem)
  })

  it('is no schema of this name with a type hstore of somebody else', async () => {
    await provision(entriesOf(databases, '1-4'))
    await run(0, 'create schema other; create type other.hstore as (x int)')
    await run(0, 'alter table shard0002.entities alter column body type other.hstore using null')
    expect(await problemsOf(provision(entriesOf(databases, '1-4')))).toEqual({
      2: ['column body is an hstore that is not the one of the extension, not hstore'],
    })
  })

  it('stops everything before anything is created, with the problems of all servers at once', async () => {
    await run(0, 'create schema shard0001; create table shard0001.orders (x int)')
    await run(1, 'create schema shard0005; create table shard0005.entities (id int)')
    const problems = await problemsOf(provision(entriesOf(databases, '1-5', '5-9')))
    expect(Object.keys(problems)).toEqual(['1', '5'])
    expect(problems[5]).toHaveLength(4)
    const made = "select count(*)::int from pg_namespace where nspname like 'shard%'"
    expect(await rowsOf(databases.connections[0], made)).toEqual([{ count: 1 }])
    expect(await rowsOf(databases.connections[1], made)).toEqual([{ count: 1 }])
  })
})

describe('next_id() of an existing shard', () => {
  const original = (epochMs: number): Promise<void> =>
    withClient(databases.connections[0], (client) =>
      createOriginalShards(client, { first: 1, last: 3, withUpdated: true, epochMs }),
    )

  it('with another epoch is refused, not replaced', async () => {
    await original(1_314_220_021_721)
    const source = "select prosrc from pg_proc where oid = 'shard0002.next_id'::regproc"
    const before = await rowsOf(databases.connections[0], source)
    const problems = await problemsOf(provision(entriesOf(databases, '1-4')))
    expect(Object.keys(problems)).toEqual(['1', '2', '3'])
    expect(problems[2]?.[0]).toContain('counts from epoch 1314220021721, not 1379365531352')
    expect(await problemsOf(planProvision(entriesOf(databases, '1-4')))).toEqual(problems)
    expect(await rowsOf(databases.connections[0], source)).toEqual(before)
  })

  it('with another epoch is adopted when that epoch is told', async () => {
    const epochMs = 1_314_220_021_721
    await original(epochMs)
    expect(await provision(entriesOf(databases, '1-4'), { epochMs })).toMatchObject({
      servers: [{ adopted: [1, 2, 3] }],
    })
  })

  it('of our own with another epoch is refused as well', async () => {
    await provision(entriesOf(databases, '1-3'))
    const problems = await problemsOf(provision(entriesOf(databases, '1-3'), { epochMs: 86_400_000 }))
    expect(problems[1]?.[0]).toContain('counts from epoch 1379365531352, not 86400000')
  })

  it.each([
    [
      'of an epoch that it does not name',
      'select ((extract(epoch from now())::bigint * 1000) << 23) | (2 << 10)',
      'another epoch was used',
    ],
    [
      'that is a second off',
      "select (((extract(epoch from clock_timestamp()) - 1)::bigint * 1000 - '1379365531352') << 23) | (2 << 10)",
      'another epoch was used',
    ],
    ['of another shard', 'select shard0003.next_id()', 'next_id() gives keys of shard 3'],
    ['without shift', 'select 1::bigint', 'next_id() gives keys of shard 0'],
    ['that fails', 'select 1 / 0::bigint', 'its keys cannot be read'],
  ])('%s is found out by calling it', async (_, body, problem) => {
    await provision(entriesOf(databases, '1-4'))
    await run(0, `create or replace function shard0002.next_id(out result bigint) language sql as $$ ${body} $$`)
    await run(0, differentNextId(1))
    const problems = await problemsOf(provision(entriesOf(databases, '1-4')))
    expect(Object.keys(problems)).toEqual(['2'])
    expect(problems[2]?.[0]).toContain(problem)
  })

  it('that reads differently and gives the right keys is replaced', async () => {
    await provision(entriesOf(databases, '1-4'))
    await run(0, differentNextId(2))
    expect(await provision(entriesOf(databases, '1-4'))).toMatchObject({ servers: [{ adopted: [2] }] })
  })

  it('that is missing is made only when the keys in the table are of this shard and not of the future', async () => {
    await provision(entriesOf(databases, '1-4'))
    await run(0, 'drop function shard0001.next_id() cascade; drop function shard0002.next_id() cascade')
    const created = new Date('2048-01-01T00:00:00Z')
    const ofAnother = Key.from({ created: new Date(), shardId: 9, addedId: 1 })
    const ofTheFuture = Key.from({ created, shardId: 2, addedId: 1 })
    await run(0, `insert into shard0001.entities (id, type, body) values (${ofAnother.id}, 1, '')`)
    await run(0, `insert into shard0002.entities (id, type, body) values (${ofTheFuture.id}, 1, '')`)
    const problems = await problemsOf(provision(entriesOf(databases, '1-4')))
    expect(problems[1]?.[0]).toContain('its newest key is one of shard 9')
    expect(problems[2]?.[0]).toContain('its newest key is one of 2048-01-01T00:00:00.000Z')
  })
})

describe('a shard that is not where the connections place it', () => {
  it('is named with both servers, all such shards at once, and nothing is created', async () => {
    await provision(entriesOf(databases, '1-5'))
    await withClient(databases.connections[1], (client) =>
      createOriginalShards(client, { first: 3, last: 6, withUpdated: false }),
    )
    const error = (await rejectionOf(
      provision(entriesOf(databases, '1-7', '7-9')),
    )) as HypervaultError<'HV_SHARD_CONFLICT'>
    expect(error.code).toBe('HV_SHARD_CONFLICT')
    expect(error.details.shards).toEqual([
      { shardId: 3, servers: ['s1', 's2'], placedOn: 's1' },
      { shardId: 4, servers: ['s1', 's2'], placedOn: 's1' },
      { shardId: 5, servers: ['s2'], placedOn: 's1' },
      { shardId: 6, servers: ['s2'], placedOn: 's1' },
    ])
    expect(error.message).toContain('2 shards (3-4): on s1 and s2, placed on s1')
    expect(error.message).toContain('2 shards (5-6): on s2, placed on s1')
    expect(await wholeShards(databases.connections[1])).toEqual([3, 4, 5, 6])
    await expect(planProvision(entriesOf(databases, '1-7', '7-9'))).rejects.toMatchObject({ code: 'HV_SHARD_CONFLICT' })
  })

  it('on two servers is an error also when the connections place it nowhere', async () => {
    await provision(entriesOf(databases, '1-3'))
    await withClient(databases.connections[1], (client) =>
      createOriginalShards(client, { first: 2, last: 2, withUpdated: true }),
    )
    await expect(provision(entriesOf(databases, '5-7', '7-9'))).rejects.toMatchObject({
      details: { shards: [{ shardId: 2, servers: ['s1', 's2'], placedOn: undefined }] },
    })
  })

  it('hides no schema that cannot be a shard', async () => {
    await provision(entriesOf(databases, '1-3'))
    await run(1, 'create schema shard0002; create table shard0002.orders (x int)')
    const error = (await rejectionOf(provision(entriesOf(databases, '3-5', '1-3')))) as HypervaultError
    expect(error).toMatchObject({ code: 'HV_SHARD_CONFLICT', cause: { code: 'HV_SHARD_INCOMPATIBLE' } })
    expect(error.message).toContain('s2, shard 2: it has no table entities, but holds orders')
  })

  it('is no empty schema of its name, nor one of something else', async () => {
    await run(1, 'create schema shard0001; create schema shard0002; create table shard0002.orders (x int)')
    expect(await provision(entriesOf(databases, '1-5', '5-9'))).toMatchObject({
      servers: [{ created: [1, 2, 3, 4] }, {}],
    })
  })
})
