import { isDeepStrictEqual } from 'node:util'
import { CITY, Ground } from '../ground/ground.ts'
import { cycle } from '../ground/rows.ts'
import type { Series } from '../measure/rounds.ts'
import type { EntityClient } from '../peers/entity-client.ts'
import { PgbenchScripts, putScript } from '../peers/pgbench.ts'
import type { Bench, Workload } from '../workload.ts'
import { callGoals, closeClients, measureCalls, openClients } from './calls.ts'

const SHARDS = 8

/** One entity, with its key as the answer. */
export const put: Workload = {
  name: 'put',
  title: `put: one entity, acknowledged after its commit, ${SHARDS} shards`,
  goals: callGoals('put', [
    { inFlight: 100, must: 5, aim: 10 },
    { inFlight: 1000, must: 9, aim: 20 },
  ]),
  run: measurePuts,
}

async function measurePuts(bench: Bench): Promise<Series[]> {
  bench.say('put: starting a server')
  await using ground = await Ground.open({ shards: SHARDS, signal: bench.signal })
  await using scripts = await PgbenchScripts.write(ground, (shardId) => putScript(shardId, ground))
  const clients = openClients(ground.connection)
  const { pgbench } = bench.programs
  try {
    return await measureCalls(
      {
        verb: 'put',
        clients,
        check: (client) => checkPut(client, ground),
        makeCall: (client) => {
          const [nextShard, nextCity] = [cycle(ground.shardIds), cycle(ground.cities)]
          return () => client.put(nextShard(), CITY, nextCity())
        },
        // What the contender before has stored shall not burden the next one.
        prepare: () => ground.truncate(),
        ...(pgbench && { runPgbench: (count) => scripts.measure(pgbench, ground, count, bench.signal) }),
      },
      bench,
    )
  } finally {
    await closeClients(clients)
  }
}

async function checkPut(client: EntityClient, ground: Ground): Promise<void> {
  const body = { ...ground.cityAt(7) }
  const key = await client.put(1, CITY, body)
  const found = await client.get(key)
  if (key.shardId === 1 && isDeepStrictEqual(found?.body, body)) return
  throw new Error(`${client.name} stores something else than what it is given`)
}
