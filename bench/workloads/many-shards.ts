import type { ConnectionEntry } from '../../src/index.ts'
import { readBackendMemory } from '../ground/backend-memory.ts'
import { CITY, Ground } from '../ground/ground.ts'
import { cycle, mixKeys } from '../ground/rows.ts'
import { driveCallers } from '../measure/callers.ts'
import type { Goal } from '../measure/goals.ts'
import { backendMemory, p50 } from '../measure/metric.ts'
import { countSamples, runRounds, type Case, type Contender, type Reading, type Series } from '../measure/rounds.ts'
import type { EntityClient } from '../peers/entity-client.ts'
import { HYPERVAULT, HypervaultClient } from '../peers/hypervault.ts'
import { PgPoolClient } from '../peers/pg-pool.ts'
import type { Bench, Workload } from '../workload.ts'

/*
 * One server with thousands of schemas. A client that goes to all of them is compared with one of the same sort that
 * goes to few, on the same server and at the same time. The memory is read at the end, when every backend has seen
 * whatever it sees.
 */

const SHARDS = 4096
const SMOKE_SHARDS = 128
const FEW_SHARDS = 8
const ROWS_PER_SHARD = 4
const MEMORY = 'backend'

/** More in flight would make the ten backends of the peer grow to two gigabytes. */
const PEER_IN_FLIGHT: readonly number[] = [1]
const IN_FLIGHT = [1, 100] as const

/** Some of the shards of the ground. */
interface Spread {
  readonly name: string
  readonly shardIds: readonly number[]
}

/** A client that goes to some of the shards. */
interface Visitor {
  readonly client: EntityClient
  readonly applicationName: string
  readonly spread: Spread
}

const alone = 'get, 1 in flight'

const timeGoal: Goal = {
  what: `${SHARDS} shards: time of a get alone`,
  of: { case: nameCase(alone, nameSpread(SHARDS)), contender: HYPERVAULT, metric: p50 },
  against: [{ case: nameCase(alone, nameSpread(FEW_SHARDS)), contender: HYPERVAULT, metric: p50 }],
  must: 1.3,
  aim: 1.1,
}

/** Get and put on a server with thousands of shards. */
export const manyShards: Workload = {
  name: 'shards',
  title: `shards: ${SHARDS} on one server, against ${FEW_SHARDS} on the same`,
  goals: [
    timeGoal,
    {
      what: `${SHARDS} shards: private memory of the largest backend`,
      of: { case: nameCase(MEMORY, nameSpread(SHARDS)), contender: HYPERVAULT, metric: backendMemory },
      must: 40,
      aim: 20,
    },
  ],
  run: measureManyShards,
}

async function measureManyShards({ plan, signal, say }: Bench): Promise<Series[]> {
  const shards = plan.isSmoke ? SMOKE_SHARDS : SHARDS
  await using ground = await Ground.open({
    shards,
    signal,
    onShards: (done) => say('shards: making schemas', done, shards),
  })
  await ground.fill(ROWS_PER_SHARD)
  const all = { name: nameSpread(shards), shardIds: ground.shardIds }
  const few = { name: nameSpread(FEW_SHARDS), shardIds: ground.shardIds.slice(0, FEW_SHARDS) }
  const visitors = [all, few].flatMap((spread) => openVisitors(ground, spread))
  try {
    for (const visitor of visitors) await touchAll(visitor, say)
    const cases = IN_FLIGHT.flatMap((inFlight) => casesOf(visitors, { inFlight, durationMs: plan.sampleMs }))
    const total = countSamples(cases, plan.rounds)
    const onSample = (done: number): void => say('shards', done, total)
    const series = await runRounds(cases, { rounds: plan.rounds, signal, onSample })
    return [...series, ...(await readMemory(ground, visitors))]
  } finally {
    await Promise.all(visitors.map(({ client }) => client[Symbol.asyncDispose]()))
  }
}

function openVisitors(ground: Ground, spread: Spread): Visitor[] {
  const open = (who: string, make: (connection: ConnectionEntry) => EntityClient): Visitor => {
    const applicationName = `bench ${who} ${spread.name}`
    return { client: make({ ...ground.connection, application_name: applicationName }), applicationName, spread }
  }
  return [
    open('hypervault', (connection) => new HypervaultClient([connection])),
    open('pg', (connection) => new PgPoolClient(connection, { isPrepared: true })),
  ]
}

/** The first visit of a schema costs more than all that follow. */
async function touchAll({ client, spread }: Visitor, say: Bench['say']): Promise<void> {
  const call = callsOf({ client, spread })
  for (const [index] of spread.shardIds.entries()) {
    if (index % 100 === 0) say(`shards: ${client.name} visits`, index, spread.shardIds.length)
    await call.get()
    await call.put()
  }
}

function callsOf({
  client,
  spread,
}: Pick<Visitor, 'client' | 'spread'>): Record<'get' | 'put', () => Promise<unknown>> {
  const keys = mixKeys(spread.shardIds, 1)
  const [nextKey, nextShard] = [cycle(keys), cycle(keys.map(({ shardId }) => shardId))]
  return { get: () => client.get(nextKey()), put: () => client.put(nextShard(), CITY, { name: 'Ankara' }) }
}

function casesOf(visitors: readonly Visitor[], callers: { inFlight: number; durationMs: number }): Case[] {
  const { inFlight } = callers
  const present = visitors.filter(
    ({ client }) => client instanceof HypervaultClient || PEER_IN_FLIGHT.includes(inFlight),
  )
  const spreads = [...new Set(present.map(({ spread }) => spread))]
  return (['get', 'put'] as const).flatMap((verb) =>
    spreads.map((spread) => ({
      name: nameCase(`${verb}, ${inFlight} in flight`, spread.name),
      contenders: present
        .filter((visitor) => visitor.spread === spread)
        .map((visitor) => contenderOf(visitor, verb, callers)),
    })),
  )
}

function contenderOf(
  visitor: Visitor,
  verb: 'get' | 'put',
  callers: { inFlight: number; durationMs: number },
): Contender {
  const call = callsOf(visitor)[verb]
  return { name: visitor.client.name, measure: (): Promise<Reading> => driveCallers(callers, call) }
}

async function readMemory(ground: Ground, visitors: readonly Visitor[]): Promise<Series[]> {
  const series: Series[] = []
  for (const { client, applicationName, spread } of visitors) {
    const size = await readBackendMemory(ground, applicationName)
    if (size === undefined) continue
    const name = nameCase(MEMORY, spread.name)
    series.push({ case: name, contender: client.name, metric: backendMemory, samples: [size] })
  }
  return series
}

function nameSpread(shards: number): string {
  return `${shards} shards`
}

function nameCase(what: string, spread: string): string {
  return `${what}, ${spread}`
}
