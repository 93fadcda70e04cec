import { isDeepStrictEqual } from 'node:util'
import { decodeHstore, Key, type Entity, type FindQuery } from '../../src/index.ts'
import type { City } from '../../demo/cities.ts'
import { CITY, Ground } from '../ground/ground.ts'
import { cycle } from '../ground/rows.ts'
import { driveCallers } from '../measure/callers.ts'
import type { Goal } from '../measure/goals.ts'
import { rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Case, type Contender, type Series } from '../measure/rounds.ts'
import { memoizeByShard } from '../peers/entity-client.ts'
import { HYPERVAULT, HypervaultClient } from '../peers/hypervault.ts'
import { PG_PREPARED, PgPoolClient, type EntityRow } from '../peers/pg-pool.ts'
import type { Bench, Workload } from '../workload.ts'

const SHARDS = 8
const ROWS_PER_SHARD = 5_000
const IN_FLIGHT = [1, 10, 100] as const
const LIMIT = 100

/** Entities by a value in them, on an index. */
export const find: Workload = {
  name: 'find',
  title: `find: cities by name on an index, ${SHARDS} shards of ${ROWS_PER_SHARD} rows, against the same SQL`,
  goals: IN_FLIGHT.map((inFlight): Goal => {
    const name = nameCase(inFlight)
    const [of, other] = [HYPERVAULT, PG_PREPARED].map((contender) => ({ case: name, contender, metric: rate }))
    if (of === undefined || other === undefined) throw new Error('there are two contenders')
    return { what: name, of, against: [other], must: 0.9, aim: 1 }
  }),
  run: measureFinds,
}

/** What is looked for. */
interface Search {
  readonly shardId: number
  readonly name: string
}

/** Someone who finds. */
interface Finder {
  readonly name: string
  find(search: Search): Promise<Entity[]>
}

async function measureFinds({ plan, signal, say }: Bench): Promise<Series[]> {
  say('find: starting a server')
  await using ground = await Ground.open({ shards: SHARDS, signal })
  await ground.fill(ROWS_PER_SHARD)
  await using own = new HypervaultClient([ground.connection])
  await using peer = new PgPoolClient(ground.connection, { isPrepared: true })
  await own.db.createIndex({ on: { field: 'name' } })
  await ground.query('vacuum analyze')
  const finders = [finderOf(own), peerOf(peer)]
  for (const finder of finders) await checkFinder(finder, ground)
  const searches = ground.shardIds.flatMap((shardId) =>
    Array.from({ length: 500 }, (_, at) => ({ shardId, name: ground.cityAt(at * 10).name })),
  )
  const cases = IN_FLIGHT.map((inFlight): Case => {
    const contenders = finders.map((finder): Contender => {
      const next = cycle(searches)
      const call = (): Promise<Entity[]> => finder.find(next())
      return { name: finder.name, measure: () => driveCallers({ inFlight, durationMs: plan.sampleMs }, call) }
    })
    return { name: nameCase(inFlight), contenders }
  })
  const total = countSamples(cases, plan.rounds)
  return await runRounds(cases, { rounds: plan.rounds, signal, onSample: (done) => say('find', done, total) })
}

function finderOf({ name, db }: HypervaultClient): Finder {
  const queryOf = (city: string): FindQuery => ({ kind: CITY, where: { equals: { name: city } }, limit: LIMIT })
  return { name, find: ({ shardId, name: city }) => db.find(shardId, queryOf(city)) }
}

/** The SQL that one would write by hand. */
const findText = memoizeByShard(
  (schema) =>
    `select id, type, body, updated from ${schema}.entities where type = ${CITY} and body -> 'name' = $1 order by id limit ${LIMIT}`,
)

function peerOf({ name, pool }: PgPoolClient): Finder {
  const find = async ({ shardId, name: city }: Search): Promise<Entity[]> => {
    const query = { name: `find${shardId}`, text: findText(shardId), values: [city] }
    const { rows } = await pool.query<EntityRow & { id: string }>(query)
    return rows.map(({ id, type, body, updated }) => {
      return { key: new Key(id), kind: type, body: decodeHstore(body), updated }
    })
  }
  return { name, find }
}

/** Nobody is fast by leaving something out. */
async function checkFinder(finder: Finder, ground: Ground): Promise<void> {
  const { name } = ground.cityAt(7)
  const expected: City[] = ground.cities.slice(0, ROWS_PER_SHARD).filter((city) => city.name === name)
  const found = await finder.find({ shardId: 3, name })
  const bodies = found.map(({ body }) => body)
  if (
    isDeepStrictEqual(
      bodies,
      expected.map((city) => ({ ...city })),
    )
  )
    return
  throw new Error(`${finder.name} finds something else than what is stored`)
}

function nameCase(inFlight: number): string {
  return `find, ${inFlight} in flight`
}
