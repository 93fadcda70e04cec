import type { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Key } from '../../src/key/key.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { entriesOf, inspect, numbers, rowsOf, withClient } from './servers.ts'

let databases: TestDatabases

beforeEach(async () => void (databases = await createDatabases(1)))
afterEach(() => databases.drop())

const onServer = <T>(work: (client: Client) => Promise<T>): Promise<T> => withClient(databases.connections[0], work)

/** Row versions and files: they change when a row, or a whole table, is written again. */
const STORAGE = `select e.ctid::text, e.xmin::text, e.id, e.type, e.body::text,
  pg_relation_filenode('shard0002.entities') as file, 'shard0002.entities'::regclass::oid as oid
  from shard0002.entities as e order by e.id`

async function makeOriginal(withUpdated: boolean): Promise<void> {
  await onServer(async (client) => {
    await createOriginalShards(client, { first: 1, last: 3, withUpdated })
    await client.query(`insert into shard0002.entities (type, body)
      select 2, hstore('user_id', n::text) from generate_series(1, 50) as n`)
  })
}

describe.each([
  ['with `updated`', true],
  ['without `updated`', false],
])('adopting shards of the original %s', (_, withUpdated) => {
  beforeEach(() => makeOriginal(withUpdated))

  it('rewrites no row and no table', async () => {
    const before = await rowsOf(databases.connections[0], STORAGE)
    expect(before).toHaveLength(50)
    const { servers } = await provision(entriesOf(databases, '1-6'))
    expect(servers).toMatchObject([{ adopted: [1, 2, 3], created: [4, 5], unchanged: [] }])
    expect(await rowsOf(databases.connections[0], STORAGE)).toEqual(before)
  })

  it('leaves them as if they had been made anew, and a second run with nothing to do', async () => {
    await provision(entriesOf(databases, '1-5'))
    const { shards } = await inspect(databases.connections[0])
    expect(shards.get(2)?.entities).toEqual(shards.get(4)?.entities)
    expect(shards.get(2)).toMatchObject({ sequence: { cache: 1 }, nextId: { language: 'sql', returns: 'bigint' } })
    expect(await provision(entriesOf(databases, '1-5'))).toMatchObject({ servers: [{ unchanged: numbers(1, 4) }] })
  })

  it('goes on with the sequence, and gives keys later than all before', async () => {
    await provision(entriesOf(databases, '1-4'))
    const rows = await rowsOf<{ id: string }>(
      databases.connections[0],
      `select max(id) as id from shard0002.entities union all
       (select shard0002.next_id()) order by id`,
    )
    const [newest, next] = rows.map(({ id }) => new Key(id))
    // 50 rows, and the one call that proved the function.
    expect(next).toMatchObject({ shardId: 2, addedId: 52 })
    expect(next?.created.getTime()).toBeGreaterThanOrEqual(newest?.created.getTime() ?? NaN)
  })
})

describe('adopting', () => {
  it('keeps indexes, tables and columns that the owner added, and the leftovers of the scripts', async () => {
    await makeOriginal(false)
    await onServer(async (client) => {
      await client.query('alter table shard0001.entities add column note text, add column rank int not null default 7')
      await client.query('create table shard0001.extra (x int); create view shard0001.seen as select 1 as one')
    })
    await provision(entriesOf(databases, '1-4'))
    const names = await rowsOf(
      databases.connections[0],
      `select relname from pg_class where relnamespace = 'shard0001'::regnamespace order by 1`,
    )
    expect(names.map(({ relname }) => String(relname))).toEqual([
      'entities',
      'entities_idx_user_id',
      'entities_pk',
      'extra',
      'hv_migrations',
      'hv_migrations_pk',
      'seen',
      'table_id_seq',
    ])
    const columns = (await inspect(databases.connections[0])).shards.get(1)?.entities?.columns.map(({ name }) => name)
    expect(columns).toEqual(['id', 'type', 'body', 'note', 'rank', 'updated'])
    expect(await rowsOf(databases.connections[0], "select 'public.initdb'::regproc::text as name")).toHaveLength(1)
  })

  it('takes the cache off a sequence without moving it', async () => {
    await makeOriginal(true)
    await onServer((client) => client.query('alter sequence shard0002.table_id_seq cache 20 restart with 777'))
    await provision(entriesOf(databases, '1-4'))
    const { shards } = await inspect(databases.connections[0])
    expect(shards.get(2)?.sequence?.cache).toBe(1)
    const [row] = await rowsOf<{ v: string }>(databases.connections[0], "select nextval('shard0002.table_id_seq') as v")
    // The call that proved the function took a cache of 20.
    expect(Number(row?.v)).toBe(797)
  })

  it.each([
    ['drop sequence shard0002.table_id_seq', 'the sequence'],
    ['drop function shard0002.next_id() cascade', 'the function and with it the default'],
    ['alter table shard0002.entities alter column id drop default', 'the default'],
    ['alter table shard0002.entities rename constraint entities_pk to pk', 'the name of the primary key'],
  ])('puts right what somebody did by hand: %s', async (sql) => {
    await makeOriginal(false)
    await provision(entriesOf(databases, '1-4'))
    const whole = await inspect(databases.connections[0])
    await onServer((client) => client.query(sql))
    expect(await provision(entriesOf(databases, '1-4'))).toMatchObject({
      servers: [{ adopted: [2], unchanged: [1, 3] }],
    })
    expect((await inspect(databases.connections[0])).shards).toEqual(whole.shards)
    await onServer((client) => client.query("insert into shard0002.entities (type, body) values (1, '')"))
  })

  it.each([
    'create schema shard0002',
    'create schema shard0002; create sequence shard0002.table_id_seq',
    'create schema shard0002; create function shard0002.next_id(out result bigint) language sql as $$ select 1::bigint $$',
  ])('completes a shard without entities: %s', async (sql) => {
    await onServer((client) => client.query(sql))
    expect(await provision(entriesOf(databases, '1-4'))).toMatchObject({ servers: [{ created: [1, 2, 3] }] })
    expect((await inspect(databases.connections[0])).shards.get(2)).toMatchObject({ nextId: { language: 'sql' } })
  })

  it('waits for a shard in use no longer than told, and blocks no other shard meanwhile', async () => {
    await makeOriginal(false)
    await onServer(async (client) => {
      await client.query('begin; select from shard0003.entities')
      await expect(provision(entriesOf(databases, '1-4'), { lockTimeoutMs: 100 })).rejects.toMatchObject({
        code: 'HV_SERVER_BUSY',
        retryable: true,
        details: { serverId: 's1' },
      })
      await client.query('commit')
    })
    expect(await provision(entriesOf(databases, '1-4'))).toMatchObject({
      servers: [{ adopted: [3], unchanged: [1, 2] }],
    })
  })
})
