import { isDeepStrictEqual } from 'node:util'
import type { ConnectionEntry } from '../../src/index.ts'
import { Datastore, encodeHstore, Key } from '../../src/index.ts'
import { readCities, type City } from '../../demo/cities.ts'
import { CITY } from '../ground/ground.ts'
import { InProcessServer } from '../ground/in-process-server.ts'
import { cycle, mixKeys } from '../ground/rows.ts'
import { driveCallers } from '../measure/callers.ts'
import { cost, rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Case, type Contender, type Series } from '../measure/rounds.ts'
import type { EntityClient } from '../peers/entity-client.ts'
import { HYPERVAULT, HypervaultClient } from '../peers/hypervault.ts'
import { PgPoolClient } from '../peers/pg-pool.ts'
import type { Bench, Workload } from '../workload.ts'

/*
 * What a call costs this process. First the routing alone: the way from the text of a key to its server. Then a whole get
 * from a server inside the process, so that there is neither a network nor a server to wait for.
 */

const SHARDS = 8
const IN_FLIGHT = [1, 100, 1000] as const
const NS_PER_SECOND = 1e9

/** Keys that are routed between two looks at the clock. */
const BURST = 1_000

/** A routed call without the network. */
export const routing: Workload = {
  name: 'routing',
  title: 'routing: a call without the network',
  goals: [],
  run: measureRouting,
}

async function measureRouting({ plan, signal, say }: Bench): Promise<Series[]> {
  const [city] = await readCities()
  if (city === undefined) throw new Error('there are no cities')
  const connection = connect(city)
  const clients = [new HypervaultClient([connection]), new PgPoolClient(connection, { isPrepared: true })]
  try {
    for (const client of clients) await checkGet(client, city)
    const cases = [
      routeCase(connection, plan.sampleMs),
      ...IN_FLIGHT.map((many) => getCase(clients, many, plan.sampleMs)),
    ]
    const total = countSamples(cases, plan.rounds)
    const onSample = (done: number): void => say('routing', done, total)
    return await runRounds(cases, { rounds: plan.rounds, signal, onSample })
  } finally {
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
  }
}

function connect(city: City): ConnectionEntry {
  return { shards: `1-${SHARDS + 1}`, stream: () => new InProcessServer(encodeHstore(city)) }
}

function routeCase(connection: ConnectionEntry, durationMs: number): Case {
  const { topology } = new Datastore({ connections: [connection] })
  const nextText = cycle(mixKeys(topology.shardIds, 100).map(String))
  const measure = (): Promise<ReadonlyMap<typeof cost, number>> => {
    const startedAt = performance.now()
    let calls = 0
    for (; performance.now() < startedAt + durationMs; calls += BURST) {
      for (let call = 0; call < BURST; call += 1) topology.getServer(new Key(nextText()).shardId)
    }
    return Promise.resolve(new Map([[cost, ((performance.now() - startedAt) * 1e6) / calls]]))
  }
  return { name: 'from the text of a key to its server', contenders: [{ name: HYPERVAULT, measure }] }
}

function getCase(clients: readonly EntityClient[], inFlight: number, durationMs: number): Case {
  const keys = mixKeys(
    Array.from({ length: SHARDS }, (_, index) => index + 1),
    100,
  )
  const contenders = clients.map((client): Contender => {
    const nextKey = cycle(keys)
    const measure = async (): Promise<ReadonlyMap<typeof cost, number>> => {
      const reading = await driveCallers({ inFlight, durationMs }, () => client.get(nextKey()))
      return new Map([[cost, NS_PER_SECOND / (reading.get(rate) ?? NaN)]])
    }
    return { name: client.name, measure }
  })
  return { name: `a whole get, ${inFlight} in flight`, contenders }
}

async function checkGet(client: EntityClient, city: City): Promise<void> {
  const [key] = mixKeys([1], 1)
  if (key === undefined) throw new Error('there are no keys')
  const found = await client.get(key)
  if (isDeepStrictEqual(found, { key, kind: CITY, body: { ...city }, updated: null })) return
  throw new Error(`${client.name} reads something else than what it is sent`)
}
