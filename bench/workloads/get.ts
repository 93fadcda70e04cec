import { isDeepStrictEqual } from 'node:util'
import { CITY, Ground } from '../ground/ground.ts'
import { cycle, keyOfRow, mixKeys } from '../ground/rows.ts'
import type { Series } from '../measure/rounds.ts'
import type { EntityClient } from '../peers/entity-client.ts'
import { getScript, PgbenchScripts } from '../peers/pgbench.ts'
import type { Bench, Workload } from '../workload.ts'
import { callGoals, closeClients, measureCalls, openClients } from './calls.ts'

const SHARDS = 8
const ROWS_PER_SHARD = 5_000

/** One entity by its key. */
export const get: Workload = {
  name: 'get',
  title: `get: one entity by its key, ${SHARDS} shards of ${ROWS_PER_SHARD} rows`,
  goals: callGoals('get', [
    { inFlight: 100, must: 8, aim: 15 },
    { inFlight: 1000, must: 10, aim: 25 },
  ]),
  run: measureGets,
}

async function measureGets(bench: Bench): Promise<Series[]> {
  bench.say('get: starting a server')
  await using ground = await Ground.open({ shards: SHARDS, signal: bench.signal })
  await ground.fill(ROWS_PER_SHARD)
  await using scripts = await PgbenchScripts.write(ground, (shardId) => getScript(shardId, ROWS_PER_SHARD))
  const clients = openClients(ground.connection)
  const keys = mixKeys(ground.shardIds, ROWS_PER_SHARD)
  const { pgbench } = bench.programs
  try {
    return await measureCalls(
      {
        verb: 'get',
        clients,
        check: (client) => checkGet(client, ground),
        makeCall: (client) => {
          const nextKey = cycle(keys)
          return () => client.get(nextKey())
        },
        ...(pgbench && { runPgbench: (count) => scripts.measure(pgbench, ground, count, bench.signal) }),
      },
      bench,
    )
  } finally {
    await closeClients(clients)
  }
}

async function checkGet(client: EntityClient, ground: Ground): Promise<void> {
  const [key, absent] = [keyOfRow(1, 7), keyOfRow(1, ROWS_PER_SHARD)]
  const expected = { key, kind: CITY, body: { ...ground.cityAt(7) }, updated: null }
  const [found, missing] = [await client.get(key), await client.get(absent)]
  if (isDeepStrictEqual(found, expected) && missing === undefined) return
  throw new Error(`${client.name} reads something else than what is stored`)
}
