import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Datastore } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

/* Whatever the statements of one borrower leave in a session, the next one finds nothing of it. */

let databases: TestDatabases
const role = `hv_test_role_${process.pid}`
const holder = `hv_test_holder_${process.pid}`

beforeAll(async () => {
  databases = await createDatabases(1)
  await provision([{ ...databases.connections[0]!, shards: '1-4' }])
  await onServer(`
    create role ${role} nosuperuser; create role ${holder} login superuser password 'secret';
    alter role ${holder} set application_name = 'of the role'; alter role ${holder} set role = '${role}';
    create table public.logged (n int); create sequence public.numbers;
    create function public.leave() returns trigger language plpgsql as $$ begin
      perform set_config('search_path', 'shard0002', false), pg_advisory_lock(99);
      create temporary table of_trigger (n int);
      return new;
    end $$;
    create trigger leave before insert on public.logged for each row execute function public.leave()`)
})
afterAll(async () => {
  await databases.drop()
  await onServer(`drop role ${role}; drop role ${holder}`, 'postgres')
})

async function onServer(text: string, database = databases.connections[0]!.database): Promise<void> {
  const admin = new Client({ ...databases.connections[0], database })
  await admin.connect()
  await admin.query(text)
  await admin.end()
}

function open(more: object = {}): Datastore {
  return new Datastore({ connections: [{ ...databases.connections[0], shards: '1-4', ...more }], poolMax: 1 })
}

/** All that PostgreSQL tells of what is in a session. */
const fingerprint = `
  select pg_backend_pid() as pid, session_user::text, current_user::text,
    (select json_agg(name || '=' || setting order by name) from pg_settings
      where source = 'session' and (name not like 'app.%' or setting <> '')) as settings,
    current_setting('TimeZone') || ' ' || current_setting('DateStyle') as ours,
    (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as relations,
    (select count(*)::int from pg_proc where pronamespace = pg_my_temp_schema()) as functions,
    (select json_agg(name) from pg_prepared_statements where name not like 'hv_%') as prepared,
    (select json_agg(name) from pg_cursors where name <> '') as cursors,
    (select json_agg(channel) from pg_listening_channels() as channel) as channels,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`

const residues: [string, string][] = [
  ['a setting', `set statement_timeout = '77s'`],
  ['a setting of the session', `set session datestyle to 'SQL, DMY'`],
  ['a time zone', `set time zone 'Asia/Tokyo'`],
  ['an encoding', `set client_encoding to latin1`],
  ['names', `set names 'latin1'`],
  ['a search path by a function', `select set_config('search_path', 'shard0002', false)`],
  ['a search path by a function with another spelling', `select "set_config"('search_path', 'shard' || '0002', 1 = 2)`],
  [
    'the settings of what comes next',
    'set session characteristics as transaction isolation level serializable, read only',
  ],
  ['an update of pg_settings', `update pg_settings set setting = '1MB' where name = 'work_mem'`],
  ['a variable', `set app.tenant = '5'`],
  ['replication role', 'set session_replication_role = replica'],
  ['a role', `set role ${role}`],
  ['a login', `set session authorization ${role}`],
  ['a temporary table', 'create temporary table photos (n int)'],
  ['a temporary table by select into', 'select 1 as n into temporary picture'],
  ['a temporary view and sequence', 'create temp view v as select 1; create temporary sequence s'],
  ['a temporary function', 'create function pg_temp.f() returns int language sql as $$ select 1 $$'],
  ['a prepared statement', 'prepare mine as select 1'],
  ['a cursor with hold', 'declare mine cursor with hold for select 1'],
  ['a lock', 'do $$ begin perform pg_advisory_lock(5), pg_advisory_lock_shared(6); end $$'],
  ['a channel', 'listen news; select 1'],
  [
    'what a block does',
    `do $$ begin set statement_timeout = '5s'; perform pg_advisory_lock(7); execute 'prepare deep as select 1'; end $$`,
  ],
  ['what a trigger does', 'insert into public.logged values (1)'],
]

type Road = (db: Datastore, text: string) => Promise<unknown>

const roads: [string, Road][] = [
  ['shard.query', (db, text) => db.shard(1).query(text)],
  ['pool.query', (db, text) => db.shard(1).pool.query(text)],
  [
    'pool.connect',
    async (db, text) => {
      const client = await db.shard(1).pool.connect()
      await client.query(text)
      client.release()
    },
  ],
  [
    'a client in a transaction',
    async (db, text) => {
      const client = await db.shard(1).pool.connect()
      for (const each of ['begin', text, 'commit']) await client.query(each)
      client.release()
    },
  ],
  ['transaction', (db, text) => db.transaction(1, (tx) => tx.query(text))],
  ['cursor', (db, text) => db.cursor(1, (client) => client.query(text))],
  [
    'getConnection',
    async (db, text) => {
      await using client = await db.getConnection(1)
      await client.query(text)
    },
  ],
]

it.each(roads)('through %s nothing is left for the next borrower, who gets the same connection', async (_, road) => {
  await using db = open()
  const look = (shardId: number): Promise<object[]> =>
    db.cursor(shardId, async (client) => (await client.query<object>(fingerprint)).rows)
  const before = await look(2)
  expect(before).toMatchObject([{ settings: null, ours: 'UTC ISO, MDY' }])
  for (const [what, text] of residues) {
    await road(db, text)
    expect(await look(3), what).toEqual(before)
  }
})

it('what a failed statement leaves is gone as well', async () => {
  await using db = open()
  await expect(db.shard(1).query('do $$ begin perform pg_advisory_lock(5); end $$; select 1/0')).rejects.toMatchObject({
    code: '22012',
  })
  await db.cursor(2, async (client) => {
    expect((await client.query(fingerprint)).rows).toMatchObject([{ locks: 0 }])
  })
})

it('what a role is given at its login is there again', async () => {
  await using db = open({ user: holder, password: 'secret', options: '-c work_mem=2MB' })
  const look = `select current_user::text, current_setting('work_mem') as mem, current_setting('application_name') as name`
  await db.cursor(1, (client) => client.query(`reset role; set session authorization ${role}; set work_mem = '3MB'`))
  const found = await db.cursor(2, async (client) => (await client.query(look)).rows)
  expect(found).toEqual([{ current_user: role, mem: '2MB', name: 'of the role' }])
  expect(db.stats()[0]).toMatchObject({ created: 1 })
})

it('the numbers that a session drew last, and a name of a statement of pg, are of no other', async () => {
  await using db = open()
  await db.cursor(1, (client) => client.query({ name: 'same', text: `select nextval('public.numbers')` }))
  await db.cursor(2, async (client) => {
    await expect(client.query('select lastval()')).rejects.toMatchObject({ code: '55000' })
    expect((await client.query({ name: 'same', text: 'select 2 as n' })).rows).toEqual([{ n: 2 }])
  })
})

it('an entity is stored and found on a connection that somebody has used', async () => {
  await using db = open()
  const key = await db.put(1, 1, { a: 'b' })
  await db.get(key)
  await db.shard(1).query(`set client_encoding to latin1; deallocate all; set role ${role}`)
  expect(await db.get(key)).toMatchObject({ body: { a: 'b' } })
  await db.put(1, 1, { a: 'c' })
  expect(db.stats()[0]).toMatchObject({ created: 1, destroyed: 0 })
})

it.each([`load 'auto_explain'`, 'select setseed(0.5)'])(
  '%s costs the connection, because no sweep undoes it',
  async (text) => {
    await using db = open()
    await db.shard(1).query(text)
    await db.transaction(1, (tx) => tx.query(text))
    await db.cursor(1, (client) => client.query(text))
    await until('three are closed', () => db.stats()[0]?.destroyed === 3)
  },
)

it('what entities have prepared is kept where nobody else was', async () => {
  await using db = open()
  const key = await db.put(1, 1, {})
  await db.get(key)
  await db.transaction(1, (tx) => tx.put(1, {}))
  const { rows } = await db.cursor(1, (client) =>
    client.query<{ n: number }>(`select count(*)::int as n from pg_prepared_statements where name like 'hv_%'`),
  )
  expect(rows[0]?.n).toBeGreaterThan(1)
})
