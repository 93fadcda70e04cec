import { afterEach, beforeEach, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'

let servers: TestFleet
let fleet: Fleet

/** Server s2 sorts texts by ICU, and s1 does not; both know a collation that takes some texts for equal. */
beforeEach(async () => {
  servers = await createFleet(2, "template template0 locale_provider icu icu_locale 'en'")
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const loose = `create collation public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
  await Promise.all([0, 1].map((server) => queryServer(servers, server, loose)))
  await queryServer(servers, 0, tables)
})

afterEach(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const columns = '"chunk", "hv_row", "hv_hash", "id", "order", "a""b", "Ünï"'

const declared = columns.replaceAll(', ', ' text, ').replace('"id" text', 'id bigint generated always as identity')

const texts = "unnest(array['a', 'B', 'ä', 'Z', 'é', 'aa', 'a-a', '-b', '10', '9', '', ' ']) as n"

/** The same columns, each time with another one as key, under a collation of the database or one of its own. */
const tables = `set search_path = shard0001;
  create table "hv_hashed" (${declared} text, primary key ("Ünï"));
  create table "select" (${declared} text collate public.loose, primary key ("Ünï", "order"));
  create table "marker" (${declared} text, primary key (id));
  create table "a ""b"" 'c'" (${declared} text);
  alter table "a ""b"" 'c'" replica identity full;
  insert into "hv_hashed" ("Ünï", chunk) select n, n from ${texts};
  insert into "select" ("Ünï", "order") select n, 'x' from ${texts};
  insert into "marker" ("Ünï", "hv_row") select n, n from ${texts};
  insert into "a ""b"" 'c'" ("Ünï", "a""b") select n, n from ${texts}`

const changes = [
  `insert into "hv_hashed" ("Ünï", chunk) values ($1, 'new')`,
  `update "select" set "hv_hash" = $1, "order" = 'y' || $1 where "Ünï" = 'A'`,
  `update "marker" set "a""b" = $1 where id % 3 = 0`,
  `insert into "a ""b"" 'c'" ("order") values ($1)`,
]

const contents = ['hv_hashed', 'select', 'marker', 'a "b" \'c\'']
  .map((name) => `select '${name.replaceAll("'", "''")}', t.* from shard0001."${name.replaceAll('"', '""')}" as t`)
  .join(' union all ')

it('a shard with the names and texts of others moves between servers that sort differently, under a writer', async () => {
  await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
  let isMoving = true
  const write = async (): Promise<number> => {
    for (let turn = 0; ; turn += 1) {
      for (const text of changes) await db.shard(1).query(text, [`turn ${turn}`])
      if (!isMoving) return turn
    }
  }
  const writing = write()
  const moving = fleet.moveShard(1, { to: 's2', maxPauseMs: 60_000 }).finally(() => (isMoving = false))
  const [{ moveId, mismatches, isExact }, turns] = await Promise.all([moving, writing])
  expect({ mismatches, isExact }).toEqual({ mismatches: [], isExact: true })
  const [counted] = await queryServer(
    servers,
    1,
    'select count(*)::int from shard0001."hv_hashed" where chunk = \'new\'',
  )
  expect(counted).toEqual([turns + 1])
  const sorted = async (server: number): Promise<string[]> =>
    (await queryServer(servers, server, contents)).map((row) => JSON.stringify(row)).sort()
  await expect.poll(() => sorted(0)).toEqual(await sorted(1))
  await fleet.complete(moveId)
  expect(await listHomes(servers, 1)).toEqual(['s2'])
  expect(await listLeftovers(servers)).toEqual([])
  expect((await fleet.doctor()).findings).toEqual([
    expect.objectContaining({ kind: 'collations-differ', level: 'notice' }),
  ])
})

it('a row of such a table that was changed at the new place is found before the switch', async () => {
  const onCheckpoint = async (name: string): Promise<void> => {
    if (name !== 'copy done') return
    await queryServer(
      servers,
      1,
      `set search_path = shard0001;
       alter table "select" disable trigger hv_fence; alter table "hv_hashed" disable trigger hv_fence;
       update "select" set "Ünï" = 'Ä' where "Ünï" = 'ä'; update "hv_hashed" set "a""b" = '' where "Ünï" = '-b';
       alter table "select" enable always trigger hv_fence; alter table "hv_hashed" enable always trigger hv_fence`,
    )
  }
  await expect(fleet.moveShard(1, { to: 's2', onCheckpoint })).rejects.toMatchObject({
    code: 'HV_MOVE_MISMATCH',
    details: {
      mismatches: [
        expect.stringMatching(/^hv_hashed: rows differ, at most 1 /),
        expect.stringMatching(/^select: rows differ, at most 1 /),
      ],
    },
  })
  expect(await listHomes(servers, 1)).toEqual(['s1', 's2'])
})

/** Objects of the application that are called like those that a move makes, and what the refusal begins with. */
const likeOurs: readonly (readonly [create: string, refusal: string])[] = [
  ['create table hv_marker (id bigint primary key, line text)', 'table shard0001.hv_marker'],
  ['create table hv_marker (marker bigint primary key)', 'table shard0001.hv_marker'],
  ['create view hv_marker as select 1 as marker', 'view shard0001.hv_marker'],
  ['create sequence hv_marker', 'sequence shard0001.hv_marker'],
  ["create type hv_marker as enum ('a')", 'type shard0001.hv_marker'],
  ['create function hv_fence(n int) returns int language sql return n', 'function shard0001.hv_fence(integer)'],
  [
    "create function hv_fence() returns trigger language plpgsql as 'begin return new; end'",
    'function shard0001.hv_fence()',
  ],
  [
    'create trigger hv_fence before update on "select" for each row execute function suppress_redundant_updates_trigger()',
    'trigger hv_fence on shard0001."select"',
  ],
]

it('an object that is called like one of a move is refused by name, and not taken for it', async () => {
  for (const [create, refusal] of likeOurs) {
    await queryServer(servers, 0, `begin; set local search_path = shard0001; ${create}; commit`)
    const { problems } = await fleet.planMove(1, { to: 's2' })
    expect(problems, create).toEqual([expect.stringContaining(`${refusal} is called like`)])
    await queryServer(servers, 0, `drop ${refusal}`)
  }
})
