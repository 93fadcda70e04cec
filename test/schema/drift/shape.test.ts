import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_EPOCH_MS } from '../../../src/key/layout.ts'
import { compareLines } from '../../../src/schema/drift/drift-report.ts'
import { OPENING, selectFingerprints, selectLines } from '../../../src/schema/drift/shape/shape-sql.ts'
import { selectTrace } from '../../../src/schema/drift/shape/shape-trace-sql.ts'
import { openFenceSql, raiseFenceSql } from '../../../src/schema/fence-sql.ts'
import type { ServerStatement } from '../../../src/server/server-session.ts'
import { provision } from '../../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../../support/databases.ts'
import { entriesOf } from '../servers.ts'

/** What an application may have in each of its shards. */
const application = `
  create type mood as enum ('glad', 'sad');
  create type pair as (a integer, b text);
  create domain percent as integer default 7 constraint at_most check (value <= 100);
  create domain loose as text;
  create type spans as range (subtype = float8);
  create function twice(n integer) returns integer language sql immutable as 'select n * 2';
  create procedure nothing() language sql as 'select 1';
  create aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
  create function same(pair, pair) returns boolean language sql immutable as 'select $1.a = $2.a';
  create function hash_pair(pair) returns integer language sql immutable as 'select $1.a';
  create operator === (leftarg = pair, rightarg = pair, function = same);
  create cast (pair as text) with inout;
  create collation plain (provider = icu, locale = 'und');
  create text search dictionary words (template = simple);
  create text search configuration lines (copy = simple);
  create sequence tickets;
  create table photos (id bigint primary key, title text not null, mood mood, size integer, payload jsonb,
    number integer generated always as identity, constraint positive check (size > 0),
    constraint once unique (title) deferrable);
  create table albums (id bigint primary key, photo bigint constraint of_photo references photos);
  create table parted (id integer, at date) partition by range (id);
  create table parted_1 partition of parted for values from (0) to (10);
  create table child () inherits (albums);
  create table bare ();
  create index by_size on photos ((size + 1));
  create statistics pairs on size, title from photos;
  create view titles as select id, title from photos;
  create materialized view sizes as select size from photos;
  create function note() returns trigger language plpgsql as 'begin return new; end';
  create trigger noting before update on photos for each row execute function note();
  create rule keep as on delete to albums do instead nothing;
  create policy own on photos using (size > 1);
  create foreign table far (id integer) server hv_shape_server options (table_name 'far');
  create operator family related using btree;
  create operator class kept for type pair using hash as operator 1 ===, function 1 hash_pair(pair);
  create conversion turned for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
  create text search parser parsed (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype);
  create text search template shaped (lexize = dsimple_lexize);
  alter table photos add constraint unproved check (size < 100) not valid;
  alter domain percent add constraint unproved check (value > -1) not valid;`

/** New objects of each kind, and changes that PostgreSQL writes into one catalog alone. */
const later: readonly string[] = [
  'create table late (id integer)',
  'create view late as select 1 as n',
  'create materialized view late as select 1 as n',
  'create sequence late',
  'create index late on albums (photo)',
  'create unlogged table late (id integer)',
  'create foreign table late (id integer) server hv_shape_server',
  "create type late as enum ('one')",
  'create type late as (a integer)',
  'create type late as range (subtype = integer)',
  'create domain late as integer',
  "create function late() returns integer language sql as 'select 1'",
  "create procedure late() language sql as 'select 1'",
  "create aggregate late(integer) (sfunc = int4pl, stype = integer, initcond = '0')",
  'create operator ==== (leftarg = pair, rightarg = pair, function = same)',
  'create operator family late using btree',
  'create operator class late for type mood using hash as operator 1 pg_catalog.=(anyenum, anyenum), function 1 hashenum(anyenum)',
  'create cast (mood as integer) with inout',
  "create collation late (provider = icu, locale = 'de')",
  "create conversion late for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
  'create text search dictionary late (template = simple)',
  'create text search configuration late (copy = simple)',
  'create text search parser late (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)',
  'create text search template late (lexize = dsimple_lexize)',
  'create statistics late on id, photo from albums',
  'create statistics late on id, size from public.hv_shape_table',
  'create trigger late before insert on photos for each row execute function note()',
  'create rule late as on delete to photos do instead nothing',
  'create policy late on albums using (true)',
  'create publication hv_shape for tables in schema shard0002',
  'alter publication hv_shape_known add table albums',
  'alter publication hv_shape_known set table photos where (id > 5)',
  'alter table photos add constraint late check (size < 1000)',
  'alter table photos rename constraint positive to renamed',
  'alter table photos validate constraint unproved',
  'alter table photos alter size set default 5',
  'alter table photos rename title to renamed',
  'alter table photos disable trigger noting',
  'alter table photos rename to renamed',
  'alter table child add note text',
  'alter table child inherit bare',
  'alter table albums alter photo set not null',
  'create table late partition of parted for values from (10) to (20)',
  "alter type mood rename value 'sad' to 'blue'",
  'alter type spans rename to renamed',
  'alter type spans_multirange rename to renamed',
  'alter type pair rename attribute a to renamed',
  'alter domain percent drop default',
  'alter domain percent validate constraint unproved',
  "create or replace function twice(n integer) returns integer language sql immutable as 'select n + n'",
  'create or replace view titles as select id, title, size from photos',
  'alter index by_size rename to renamed',
  'alter index by_size set (fillfactor = 50)',
  'alter statistics pairs rename to renamed',
  "alter foreign table far options (set table_name 'renamed')",
  'alter foreign table far alter id options (add column_name $$x$$)',
  'alter operator family related using btree add operator 1 < (integer, integer)',
  'alter operator family related using btree add function 1 btint4cmp (integer, integer)',
  'alter operator family related using btree rename to renamed',
  'alter operator class kept using hash rename to renamed',
  'alter collation plain rename to renamed',
  'alter conversion turned rename to renamed',
  'alter text search parser parsed rename to renamed',
  'alter text search template shaped rename to renamed',
  'alter text search dictionary words rename to renamed',
  'alter text search configuration lines rename to renamed',
  'alter text search configuration lines drop mapping for word',
  'alter table photos reset (toast.autovacuum_enabled); alter table photos set (toast.autovacuum_enabled = off)',
  'alter sequence tickets increment 2',
  'alter sequence photos_number_seq restart start 100',
  "comment on sequence tickets is 'x'",
  "comment on view titles is 'x'",
  "comment on rule keep on albums is 'x'",
  "comment on function twice is 'x'",
  "comment on type mood is 'x'",
  "comment on domain percent is 'x'",
  "comment on statistics pairs is 'x'",
  "comment on operator ===(pair, pair) is 'x'",
  "comment on collation plain is 'x'",
  'grant select (id) on titles to hv_shape_role',
  'alter default privileges in schema shard0002 grant usage on types to hv_shape_role',
  'drop function twice',
  'drop table child',
  'drop view titles',
  'drop index by_size',
]

const fence = raiseFenceSql({ shardId: 2, target: 's2', epoch: 2 }, ['photos', 'albums', 'child'], { hasRows: true })

/** What a move does by itself, and what every server does all the time. */
const traceless: readonly (readonly [what: string, change: string])[] = [
  ['rows and statistics', 'insert into photos values (1, $$a$$); analyze photos'],
  ['numbers that are drawn and set', "select nextval('tickets'), setval('tickets', 99)"],
  ['a fence', fence.join(';')],
  ['a fence that was opened', [...fence, openFenceSql(2)].join(';')],
  ['what is made elsewhere', 'create table public.hv_shape_late (id integer primary key)'],
  ['the publication of another move', 'create publication hv_move_1 for table public.hv_shape_table'],
]

let databases: TestDatabases
let client: Client

const schemas = ['shard0001', 'shard0002']

beforeAll(async () => {
  databases = await createDatabases(1)
  await provision(entriesOf(databases, '1-3'))
  client = new Client(databases.connections[0])
  await client.connect()
  await client.query(
    "do $$ begin if to_regrole('hv_shape_role') is null then create role hv_shape_role; end if; end $$",
  )
  await client.query(`create table public.hv_shape_table (id integer, size integer);
    create foreign data wrapper hv_shape_wrapper; create server hv_shape_server foreign data wrapper hv_shape_wrapper`)
  for (const schema of schemas) await client.query(`set search_path = ${schema}, public; ${application}`)
  await client.query('create publication hv_shape_known for table shard0001.photos, shard0002.photos')
})

afterAll(async () => {
  await client.query('drop owned by hv_shape_role; drop role hv_shape_role')
  await client.end()
  await databases.drop()
})

async function read({ text, values = [] }: ServerStatement): Promise<(string | null)[][]> {
  return (await client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' })).rows
}

async function readTrace(): Promise<string> {
  const [row] = await read({ text: selectTrace(2) })
  return row?.[0] ?? ''
}

/** What only the second shard has, or has not, when this is changed in it; nothing stays changed. */
async function readChanged(
  change: string,
): Promise<{ extra: string; missing: string; isSame: boolean; isTraceSame: boolean }> {
  const trace = await readTrace()
  try {
    await client.query(`begin; set local search_path = shard0002, public; ${change}`)
    for (const setting of OPENING.slice(1)) await client.query(setting)
    const prints = await read(selectFingerprints(schemas, DEFAULT_EPOCH_MS))
    const lines = await read(selectLines(schemas, DEFAULT_EPOCH_MS))
    const [one = [], other = []] = schemas.map((schema) =>
      lines.filter(([name]) => name === schema).map(([, line]) => line ?? ''),
    )
    const isSame = prints.length === 2 && prints[0]?.[1] === prints[1]?.[1]
    const { extra, missing } = compareLines(one, other)
    const isTraceSame = (await readTrace()) === trace
    return { extra: extra.join('\n'), missing: missing.join('\n'), isSame, isTraceSame }
  } finally {
    await client.query('rollback')
  }
}

describe('what a shard is made of', () => {
  test('is the same in shards that were made alike', async () => {
    expect(await readChanged('')).toEqual({ extra: '', missing: '', isSame: true, isTraceSame: true })
  })

  test.each<[what: string, change: string, line: string]>([
    ['a check of a domain', 'alter domain percent drop constraint at_most', '- constraint at_most on domain percent'],
    [
      'a check of a domain that was never looked at',
      'alter domain percent add constraint lowest check (value > 0) not valid',
      '+ constraint lowest on domain percent',
    ],
    ['a domain that is not null', 'alter domain percent set not null', '+ domain percent integer default 7 not null'],
    ['the default of a domain', 'alter domain percent set default 8', '+ domain percent integer default 8'],
    [
      'the collation of a domain',
      'drop domain loose; create domain loose as text collate "C"',
      '+ domain loose text collate "C"',
    ],
    ['an attribute of a type', 'alter type pair add attribute c date', '+ type pair: (a integer, b text, c date)'],
    ['a range', 'drop type spans; create type spans as range (subtype = numeric)', '+ type spans: range of numeric'],
    ['the order of labels', "alter type mood add value 'calm' before 'sad'", "+ type mood: 'glad', 'calm', 'sad'"],
    ['a policy', 'drop policy own on photos', '- policy own on photos'],
    [
      'whom a policy is for',
      'alter policy own on photos to hv_shape_role',
      '+ policy own on photos as permissive for all to hv_shape_role',
    ],
    ['what a policy lets in', 'alter policy own on photos with check (size > 2)', 'with check ((size > 2))'],
    [
      'row security',
      'alter table photos enable row level security',
      '+ table photos, replica identity d, row security',
    ],
    ['forced row security', 'alter table photos force row level security', ', row security forced'],
    ['a rule', 'drop rule keep on albums', '- CREATE RULE keep'],
    ['a rule that is off', 'alter table albums disable rule keep', 'INSTEAD NOTHING; (D)'],
    ['a trigger that fires always', 'alter table photos enable always trigger noting', '(A)'],
    ['the owner of a table', 'alter table photos owner to hv_shape_role', '+ owner of table photos: hv_shape_role'],
    [
      'the owner of a function',
      'alter function twice owner to hv_shape_role',
      '+ owner of function twice(integer): hv_shape_role',
    ],
    [
      'the owner of the schema',
      'alter schema shard0002 owner to hv_shape_role',
      '+ owner of schema <schema>: hv_shape_role',
    ],
    ['a grant on a table', 'grant select on photos to hv_shape_role', '+ hv_shape_role may select on table photos'],
    [
      'a grant that may be handed on',
      'grant select on photos to hv_shape_role with grant option',
      'may select, and grant it,',
    ],
    [
      'a grant on a column',
      'grant update (title) on photos to hv_shape_role',
      '+ hv_shape_role may update on column photos.title',
    ],
    ['a grant on the schema', 'grant usage on schema shard0002 to public', '+ public may usage on schema <schema>'],
    ['a grant on a sequence', 'grant usage on sequence tickets to hv_shape_role', 'may usage on sequence tickets'],
    [
      'what everybody may not',
      'revoke execute on function twice from public',
      '+ public may not execute on function twice(integer)',
    ],
    [
      'what the owner may not',
      'revoke delete on photos from current_user',
      '+ its owner may not delete on table photos',
    ],
    ['a grant on a type', 'revoke usage on type mood from public', '+ public may not usage on type mood'],
    [
      'default privileges',
      'alter default privileges in schema shard0002 grant select on tables to hv_shape_role',
      '+ what postgres makes as r: hv_shape_role may select',
    ],
    ['statistics over columns', 'drop statistics pairs', '- CREATE STATISTICS pairs'],
    ['the target of statistics', 'alter statistics pairs set statistics 50', ' statistics 50'],
    [
      'the storage of a column',
      'alter table photos alter title set storage external',
      '+ column photos.title: storage e',
    ],
    [
      'the compression of a column',
      'alter table photos alter title set compression pglz',
      '+ column photos.title: compression p',
    ],
    [
      'what ANALYZE gathers',
      'alter table photos alter title set statistics 500',
      '+ column photos.title: statistics 500',
    ],
    [
      'an option of a column',
      'alter table photos alter size set (n_distinct = 5)',
      '+ column photos.size: set (n_distinct=5)',
    ],
    [
      'the order of columns',
      'alter table photos drop size cascade, add size integer',
      '+ columns of photos in this order: id, title, mood, payload, number, size',
    ],
    ['an identity', 'alter table photos alter number set generated by default', ' identity d'],
    [
      'options of an identity',
      'alter table photos alter number set increment by 5',
      '+ sequence photos_number_seq integer from 1 by 5',
    ],
    [
      'options of a table',
      'alter table photos set (fillfactor = 70, toast.autovacuum_enabled = false)',
      ' with (fillfactor=70, toast.autovacuum_enabled=false)',
    ],
    ['options of a view', 'alter view titles set (security_barrier)', '+ view titles with (security_barrier=true)'],
    [
      'a check option',
      'create or replace view titles as select id, title from photos with cascaded check option',
      'check_option=cascaded',
    ],
    ['the default of a view', "alter view titles alter title set default 'x'", "+ default of titles.title: 'x'::text"],
    ['a materialized view without rows', 'refresh materialized view sizes with no data', '(with no data)'],
    ['an index of a materialized view', 'create index by_sizes on sizes (size)', '+ CREATE INDEX by_sizes ON sizes'],
    ['a table that is unlogged', 'alter table albums set unlogged', '+ table albums unlogged'],
    ['a replica identity', 'alter table photos replica identity full', '+ table photos, replica identity f'],
    [
      'the index of a replica identity',
      'create unique index uniquely on photos (title); alter table photos replica identity using index uniquely',
      '(replica identity)',
    ],
    ['the index that orders a table', 'alter table photos cluster on photos_pkey', 'USING btree (id) (clustered)'],
    [
      'the target of an index',
      'alter index by_size alter column 1 set statistics 99',
      '+ statistics target of column 1 of index by_size: 99',
    ],
    [
      'a constraint that was never looked at',
      'alter table photos add constraint small check (size < 9) not valid',
      'NOT VALID',
    ],
    ['a constraint that is deferrable', 'alter table albums alter constraint of_photo deferrable', 'DEFERRABLE'],
    [
      'an exclusion',
      'alter table photos add constraint apart exclude using btree (size with =)',
      '+ constraint apart on photos: EXCLUDE',
    ],
    [
      'bounds of a partition',
      'alter table parted detach partition parted_1',
      '- table parted_1 inherits from parted FOR VALUES',
    ],
    ['a parent', 'alter table child no inherit albums', '- table child inherits from albums'],
    [
      'how a table is partitioned',
      'drop table parted cascade; create table parted (id integer, at date) partition by list (id)',
      '+ partitioned table parted by LIST (id)',
    ],
    ['a comment on a table', "comment on table photos is 'x'", '+ comment on table photos: x'],
    ['a comment on a column', "comment on column photos.title is 'x'", '+ comment on table column photos.title: x'],
    [
      'a comment on a constraint',
      "comment on constraint positive on photos is 'x'",
      '+ comment on table constraint positive on photos: x',
    ],
    ['a comment on an index', "comment on index by_size is 'x'", '+ comment on index by_size: x'],
    [
      'a comment on a trigger',
      "comment on trigger noting on photos is 'x'",
      '+ comment on trigger noting on photos: x',
    ],
    ['a comment on a policy', "comment on policy own on photos is 'x'", '+ comment on policy own on photos: x'],
    ['a comment on an attribute', "comment on column pair.a is 'x'", '+ comment on composite type column pair.a: x'],
    [
      'a comment on a constraint of a domain',
      "comment on constraint at_most on domain percent is 'x'",
      'comment on domain constraint at_most on percent: x',
    ],
    ['a comment on the schema', "comment on schema shard0002 is 'x'", '+ comment on schema <schema>: x'],
    ['what a function costs', 'alter function twice cost 5', 'COST 5'],
    ['how far a function may be trusted', 'alter function twice security definer', 'SECURITY DEFINER'],
    ['whether a function changes', 'alter function twice volatile', '- CREATE OR REPLACE FUNCTION twice'],
    ['settings of a function', 'alter function twice set work_mem = 64', 'SET work_mem'],
    ['a procedure', 'drop procedure nothing', '- CREATE OR REPLACE PROCEDURE nothing'],
    [
      'an aggregate',
      "create or replace aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '1')",
      ' start 1,',
    ],
    ['an operator', 'alter operator === (pair, pair) set (restrict = eqsel)', '+ operator ===(pair,pair)'],
    ['a cast', 'drop cast (pair as text)', '- cast from pair to text'],
    [
      'a collation',
      "drop collation plain; create collation plain (provider = icu, locale = 'und', deterministic = false)",
      ', not deterministic',
    ],
    [
      'a dictionary',
      'alter text search dictionary words (accept = false)',
      'text search dictionary words of simple: accept',
    ],
    ['a text search', 'alter text search configuration lines alter mapping for word with english_stem', 'english_stem'],
    ['options of a sequence', 'alter sequence tickets cycle', ', cycle'],
    ['the type of a sequence', 'alter sequence tickets as integer', '+ sequence tickets integer'],
    ['whose a sequence is', 'alter sequence tickets owned by photos.id', ', of column photos.id'],
    [
      'a publication',
      'create publication hv_shape for table photos (id) where (id > 3)',
      '+ table photos in publication hv_shape (id) where (id > 3)',
    ],
    [
      'a function of the shard in the place of one outside',
      'create function public.twice(integer) returns integer language sql as $$ select 1 $$; alter table photos alter size set default public.twice(1)',
      'default <hstore>.twice(1)',
    ],
  ])('tells %s', async (_, change, line) => {
    const { extra, missing, isSame, isTraceSame } = await readChanged(change)
    expect({ isSame, isTraceSame }).toEqual({ isSame: false, isTraceSame: false })
    const wanted = line.replace(/^[+-] /, '')
    expect(line.startsWith('- ') ? missing : extra).toContain(wanted)
  })

  test.each(later)('has another trace behind %s', async (change) => {
    const { extra, missing, isTraceSame } = await readChanged(change)
    expect(`${extra}${missing}`).not.toBe('')
    expect(isTraceSame).toBe(false)
  })

  test.each(traceless)('has the same trace behind %s', async (_, change) => {
    const { extra, missing, isTraceSame } = await readChanged(change)
    expect([extra, missing, isTraceSame]).toEqual(['', '', true])
  })

  test('is told without the order of columns where columns come and go', async () => {
    const { extra, missing } = await readChanged('alter table photos add more integer, drop mood')
    expect([extra, missing]).toEqual(['column photos.more integer', 'column photos.mood mood'])
  })

  test('is told alike whatever the role has set', async () => {
    const settings = [
      'quote_all_identifiers = on',
      "datestyle = 'German'",
      "timezone = 'Asia/Tokyo'",
      'standard_conforming_strings = off',
      'search_path = shard0002',
    ]
    const plain = await readChanged(
      "alter table photos add at timestamptz default '2026-01-01 00:00Z', add note text default E'a\\\\b'",
    )
    const other = await readChanged(
      `alter table photos add at timestamptz default '2026-01-01 00:00Z', add note text default E'a\\\\b'; ${settings.map((each) => `set local ${each}`).join(';')}`,
    )
    expect(plain.extra).toContain('column photos.at')
    expect(other).toEqual(plain)
  })
})
