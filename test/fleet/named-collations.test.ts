import { afterAll, beforeAll, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { queryServer } from './fleet-query.ts'

let servers: TestFleet
let fleet: Fleet

beforeAll(async () => {
  servers = await createFleet(2)
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
})

afterAll(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const loose = `create collation public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
const strict = `create collation public.loose (provider = icu, locale = 'und-u-ks-level2')`
const german = `create collation public.loose (provider = icu, locale = 'de', deterministic = false)`
const stale = `update pg_collation set collversion = '1.2' where collname = 'loose'`

/** Each uses the collation at another place. */
const uses: Record<string, string> = {
  'a column': 'create table shard0001.notes (id int primary key, mail text collate public.loose)',
  'an index': `create table shard0001.notes (id int primary key, mail text);
    create unique index on shard0001.notes (mail collate public.loose)`,
  'an exclusion constraint': `create table shard0001.notes (id int primary key, mail text,
    exclude (mail collate public.loose with =))`,
  'a domain': `create domain shard0001.mail as text collate public.loose;
    create table shard0001.notes (id int primary key, mail shard0001.mail)`,
}

const cases: [what: string, source: string, target: string, problem: RegExp | undefined][] = [
  ['is the same', loose, loose, undefined],
  ['is missing', loose, 'select', /server s2 lacks the collation public.loose: create it there/],
  [
    'tells other texts apart',
    loose,
    strict,
    /public.loose is icu .* nondeterministic on server s1 and icu .* on server s2/,
  ],
  [
    'is of another locale',
    loose,
    german,
    /public.loose is icu und.* on server s1 and icu de nondeterministic on server s2/,
  ],
  ['has stale indexes here', `${loose}; ${stale}`, loose, /had version 1.2 when the indexes of server s1 were made/],
  ['has stale indexes there', loose, `${loose}; ${stale}`, /had version 1.2 when the indexes of server s2 were made/],
]

it.each(cases.flatMap((each) => Object.keys(uses).map((use) => [use, ...each] as const)))(
  'a shard of which %s uses a collation that %s',
  async (use, _what, source, target, problem) => {
    await queryServer(servers, 0, `${source}; ${uses[use]}`)
    await queryServer(servers, 1, target)
    const { problems } = await fleet.planMove(1, { to: 's2' })
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)])
    await queryServer(servers, 0, 'drop table shard0001.notes; drop domain if exists shard0001.mail')
    await Promise.all([0, 1].map((server) => queryServer(servers, server, 'drop collation if exists public.loose')))
  },
)
