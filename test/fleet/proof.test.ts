import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readShardDefinition } from '../../src/fleet/clone/read-shard-definition.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import {
  compareAgain,
  compareTables,
  describeMismatches,
  listLasting,
  type Comparison,
  type Mismatch,
} from '../../src/fleet/move/proof.ts'
import { ComparedSides } from '../../src/fleet/move/snapshots.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { listHomes, queryServer } from './fleet-query.ts'

const SHARD = 900

let servers: TestFleet

beforeAll(async () => {
  servers = await createFleet(2)
})

afterAll(() => servers[Symbol.asyncDispose]())

function linkTo(side: 0 | 1): FleetLink {
  return new FleetLink(
    { serverId: `s${side + 1}`, settings: settingsOf(servers.connections[side]!) },
    new SecretPlaces(),
  )
}

async function run(side: 0 | 1, text: string): Promise<void> {
  await queryServer(servers, side, `set search_path = shard0900, public; ${text}`)
}

async function runOnBoth(text: string): Promise<void> {
  await Promise.all([run(0, text), run(1, text)])
}

/** Compares the shard at both servers, and makes small chunks of what differs, as a proof does. */
async function compare(): Promise<Comparison & { told: string[] }> {
  await using left = linkTo(0)
  await using right = linkTo(1)
  const { tables } = await left.withSession((session) => readShardDefinition(session, SHARD))
  await using sides = await ComparedSides.open(left, right)
  await sides.freeze()
  const first = await compareTables(SHARD, tables, sides.sessions)
  const { mismatches } = await compareAgain(SHARD, first.mismatches, sides.sessions)
  return { ...first, mismatches, told: describeMismatches(mismatches, ['s1', 's2']) }
}

describe('the proof', () => {
  beforeEach(() => runOnBoth('drop schema if exists shard0900 cascade; create schema shard0900'))

  /** Names that could mean something else in a statement, and names that are hard to write. */
  const names = [
    ...[
      'chunk',
      'hv_row',
      'hv_chunk',
      'hv_hash',
      'hv_hashed',
      'count',
      'sum',
      'row',
      'text',
      'numeric',
      'hashtextextended',
    ],
    ...[
      'id',
      'C',
      'select',
      'Ünïcode',
      'a b',
      'a.b',
      'say "so"',
      "it's",
      'back\\slash',
      '100%',
      '$1',
      ' ',
      '*',
      '-- x',
    ],
    'x'.repeat(63),
  ]

  it('finds a changed row whatever its table, its key and its columns are called', async () => {
    const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`)
    const create = quoted.map((name, index) => {
      const key =
        index % 2 === 0
          ? `bigint primary key`
          : `bigint, "other key" text default '', primary key ("other key", ${name})`
      const columns = ['chunk', 'hv_row', 'hv_chunk'].filter((column) => `"${column}"` !== name)
      return `create table ${name} (${name} ${key}, "the value" text, ${columns.map((column) => `${column} text`).join(', ')});
        insert into ${name} select n from generate_series(998, 1002) as n`
    })
    await runOnBoth(create.join(';\n'))
    expect(await compare()).toMatchObject({ tables: names.length, rows: names.length * 5, mismatches: [] })
    await run(1, quoted.map((name) => `update ${name} set "the value" = 'x' where ${name} = 1002`).join(';\n'))
    const { told } = await compare()
    expect(told.sort()).toEqual(names.map((name) => `${name}: rows differ, at most 1 at s1 and 1 at s2`).sort())
  })

  /** Two values of a type that are not the same, though some are equal to PostgreSQL or look alike. */
  const pairs: [type: string, one: string, other: string][] = [
    ['text', 'null', "''"],
    ['text', 'null', "'null'"],
    ['double precision', "'-0'", '0'],
    ['double precision', '0.1', '0.10000000000000002'],
    ['numeric', '1.0', '1.00'],
    ['numeric', "'NaN'", "'infinity'"],
    ['timestamptz', "'2026-01-01 00:00:00.000001Z'", "'2026-01-01 00:00:00Z'"],
    ['json', `'{"a":1,"b":2}'`, `'{"b":2,"a":1}'`],
    ['jsonb', `'{"a":1}'`, `'{"a":1.0}'`],
    ['integer[]', "'[0:1]={1,2}'", "'{1,2}'"],
    ['text[]', 'array[null]', "array['NULL']"],
    ['text', "'a '", "'a'"],
    ['text', "'A'", "'a'"],
    ['text', "U&'\\00e9'", "U&'e\\0301'"],
    ['bytea', "'\\x00'", "'\\x0000'"],
    ['pair', 'null', 'row(null, null)'],
    ['numrange', "'[1,2)'", "'[1,2]'"],
    ['int4range', "'empty'", 'null'],
    ['inet', "'10.0.0.1'", "'10.0.0.1/8'"],
    ['interval', "'1 month'", "'30 days'"],
    ['interval', "'24 hours'", "'1 day'"],
    ['timetz', "'12:00+00'", "'13:00+01'"],
    ['bit varying', "B'1'", "B'10'"],
    ['tsvector', "'a:1A'", "'a:1B'"],
    ['money', "'1.00'::numeric::money", "'1.01'::numeric::money"],
  ]

  it('tells values apart that are not the same, of whatever type they are', async () => {
    const create = pairs.map(
      ([type, one], index) =>
        `create table t${index} (id integer primary key, v ${type}); insert into t${index} values (1, ${one})`,
    )
    await runOnBoth(`create type pair as (a integer, b text); ${create.join(';')}`)
    expect(await compare()).toMatchObject({ rows: pairs.length, mismatches: [] })
    await run(1, pairs.map(([, , other], index) => `update t${index} set v = ${other}`).join(';'))
    const { mismatches } = await compare()
    expect(mismatches.map(({ table }) => table.name).sort()).toEqual(pairs.map((_, index) => `t${index}`).sort())
  })

  it('compares text keys under any collation, also where the servers sort them differently or take some for equal', async () => {
    const insert = "insert into t select v, v from unnest(array['a', 'B', 'ä', 'Z', 'é', 'aa', 'a-a', '10', '9']) as v"
    const create = (collation: string): string =>
      `create collation loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
      create table t (k text collate ${collation} primary key, v text collate loose); ${insert}`
    await Promise.all([run(0, create('"C"')), run(1, create('"en-x-icu"'))])
    expect(await compare()).toMatchObject({ rows: 9, mismatches: [] })
    await run(1, "update t set v = 'A' where k = 'a'; update t set k = 'Ä' where k = 'ä'")
    expect((await compare()).told).toEqual(['t: rows differ, at most 2 at s1 and 2 at s2'])
  })

  it('finds rows that are missing, doubled, or too many, in tables with a key, without one, and without a column', async () => {
    await runOnBoth(`
      create table keyed (id bigint primary key); insert into keyed select generate_series(1, 5000);
      create table keyless (v text); alter table keyless replica identity full; insert into keyless values ('a'), ('a'), (null);
      create table bare (); alter table bare replica identity full; insert into bare default values`)
    expect(await compare()).toMatchObject({ tables: 3, rows: 5004, mismatches: [] })
    await run(0, `delete from keyed where id in (7, 999, 4000); insert into keyless values ('a')`)
    await run(1, 'delete from keyed where id = 8; insert into bare default values')
    const told = ['bare: rows differ, at most 1 at s1 and 2 at s2', 'keyed: rows differ, at most 1 at s1 and 3 at s2']
    expect((await compare()).told).toEqual([...told, 'keyless: rows differ, at most 3 at s1 and 2 at s2'])
  })

  it('sees equal rows in tables that lie differently on disk, with columns that were dropped', async () => {
    await runOnBoth('create table t (gone text, id bigint primary key, v text, w text); alter table t drop column gone')
    await run(0, 'insert into t select n, n, repeat(n::text, 1000) from generate_series(1, 2000) as n')
    await run(
      1,
      'insert into t select n, n, repeat(n::text, 1000) from generate_series(2000, 1, -1) as n; update t set v = v where id % 3 = 0',
    )
    expect(await compare()).toMatchObject({ rows: 2_000, mismatches: [] })
  })

  it('is not misled by what the role and the database have set, nor by names in their search path', async () => {
    await runOnBoth(`
      create table t (id numeric, at timestamptz, bytes bytea, f float8, i interval, a text[], x xml, primary key (id, a));
      insert into t select n, to_timestamp(n), '\\x0001', 0.1 + n, '1 day 2 hours', array['a', null], 'text<a/>' from generate_series(1, 3) as n;
      create schema evil;
      create function evil.hashtextextended(text, bigint) returns bigint language sql immutable as 'select 1';
      create function evil.yes(numeric, numeric) returns boolean language sql immutable as 'select true';
      create operator evil.= (leftarg = numeric, rightarg = numeric, function = evil.yes);
      create domain evil.text as integer; create domain evil.bigint as boolean; create domain evil.tid as integer`)
    const settings = {
      search_path: 'evil, pg_catalog, shard0900',
      quote_all_identifiers: 'on',
      datestyle: 'German',
      intervalstyle: 'iso_8601',
      timezone: 'Asia/Tokyo',
      extra_float_digits: '-15',
      bytea_output: 'escape',
      array_nulls: 'off',
      standard_conforming_strings: 'off',
      xmloption: 'document',
      statement_timeout: '1h',
      default_transaction_isolation: 'serializable',
      enable_tidscan: 'off',
    }
    const set = Object.entries(settings).map(
      ([name, value]) =>
        `alter role current_user in database :db set ${name} = ${name === 'search_path' ? value : `'${value}'`}`,
    )
    const [[database] = []] = await queryServer(servers, 1, 'select current_database()')
    const text = set.join(';').replaceAll(':db', `"${String(database)}"`)
    await run(1, text)
    try {
      expect((await compare()).mismatches).toEqual([])
      await run(1, 'update shard0900.t set f = f + 0.000001 where shard0900.t.id > 2')
      expect((await compare()).told).toEqual(['t: rows differ, at most 1 at s1 and 1 at s2'])
    } finally {
      await run(1, `alter role current_user in database "${String(database)}" reset all; drop schema evil cascade`)
      await run(0, 'drop schema evil cascade')
    }
  })
})

const table = { name: 'entities', columns: ['id'], key: [], rowsEstimate: 0, bytes: 0 } as const

const mismatch = (chunk: string, seen: string): Mismatch => ({ table, bits: 64, chunk, rows: [1, 1], seen })

it('a chunk differs only if neither side has changed between two looks at it', () => {
  const stays = mismatch('1', '1,7,1,8')
  const before = [stays, mismatch('2', '1,7,1,8'), mismatch('3', '1,7,1,8'), { ...mismatch('5', '1,7,1,8'), bits: 12 }]
  const now = [{ ...stays }, mismatch('2', '1,9,1,8'), mismatch('4', '1,7,1,8'), mismatch('5', '1,7,1,8')]
  expect(listLasting(before, now)).toEqual([stays])
})
it('rows that change and are added all the time keep no shard from moving', async () => {
  await using servers = await createFleet()
  await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const insert = "insert into shard0001.entities (type, body) select 1, 'n=>0' from generate_series"
  await queryServer(servers, 0, `${insert}(1, 100)`)
  let isComparing = false
  let written: Promise<void> | undefined
  const write = async (): Promise<void> => {
    while (isComparing) {
      await queryServer(servers, 0, `${insert}(1, 20); update shard0001.entities set type = type # 1 where type < 2`)
    }
  }
  const onCheckpoint = (name: string): void => {
    if (name === 'way back: slot done') {
      isComparing = true
      written = write()
    }
    if (name === 'compare done') isComparing = false
  }
  try {
    const { mismatches } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    expect(mismatches).toEqual([])
  } finally {
    isComparing = false
    await written
  }
  expect(await listHomes(servers, 1)).toEqual(['s1', 's3'])
})
