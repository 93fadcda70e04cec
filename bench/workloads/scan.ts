import { Client } from 'pg'
import { readCities, type City } from '../../demo/cities.ts'
import { Datastore, encodeHstore } from '../../src/index.ts'
import { startCluster, type Cluster, type ClusterConnection } from '../../src/testing.ts'
import { CITY } from '../ground/ground.ts'
import { keyOfRow } from '../ground/rows.ts'
import { measureHeap } from '../measure/heap.ts'
import { heap, rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Contender, type Reading, type Series } from '../measure/rounds.ts'
import { HYPERVAULT } from '../peers/hypervault.ts'
import { PG_CURSOR, readByCursor } from '../peers/pg-cursor.ts'
import type { Bench, Workload } from '../workload.ts'

const SHARDS = 64
const SERVERS = 2
const SMOKE_CITIES = 20_000
const CASE = 'scan'
const TABLE = 'public.everything'

/** All entities of all shards in the order of their creation. */
export const scan: Workload = {
  name: 'scan',
  title: `scan: all cities over ${SHARDS} shards on ${SERVERS} servers, against one cursor over one table of the same rows`,
  goals: [
    {
      what: 'scan, entities one by one',
      of: { case: CASE, contender: HYPERVAULT, metric: rate },
      against: [{ case: CASE, contender: PG_CURSOR, metric: rate }],
      must: 0.5,
      aim: 0.8,
    },
    {
      what: 'scan: growth of the heap',
      of: { case: CASE, contender: HYPERVAULT, metric: heap },
      must: 32,
      aim: 16,
    },
  ],
  run: measureScans,
}

async function measureScans({ plan, signal, say }: Bench): Promise<Series[]> {
  say('scan: starting servers')
  await using cluster = await startCluster({ servers: SERVERS, shards: `1-${SHARDS + 1}`, signal })
  await using db = new Datastore({ connections: cluster.connections })
  const cities = (await readCities()).slice(0, plan.isSmoke ? SMOKE_CITIES : undefined)
  say('scan: storing the cities')
  await fill(cluster, db, cities)
  await using peer = await connect(firstOf(cluster))
  const contenders = [
    contenderOf(HYPERVAULT, cities.length, () => countByScan(db)),
    contenderOf(PG_CURSOR, cities.length, () => readByCursor(peer, TABLE)),
  ]
  const cases = [{ name: CASE, contenders }]
  const total = countSamples(cases, plan.rounds)
  return await runRounds(cases, { rounds: plan.rounds, signal, onSample: (done) => say(CASE, done, total) })
}

async function countByScan(db: Datastore): Promise<number> {
  let count = 0
  for await (const { kind } of db.scan()) if (kind === CITY) count += 1
  return count
}

/** Sees to it that all rows are read. */
function contenderOf(name: string, rows: number, read: () => Promise<number>): Contender {
  const measure = async (): Promise<Reading> => {
    const { result, tookMs, heapMegabytes } = await measureHeap(read)
    if (result !== rows) throw new Error(`${name} read ${result} of ${rows} rows`)
    return new Map([
      [rate, (rows * 1000) / tookMs],
      [heap, heapMegabytes],
    ])
  }
  return { name, measure }
}

/** Puts the cities into the shards in turns, and all of them into one table of the first server. */
async function fill(cluster: Cluster, db: Datastore, cities: readonly City[]): Promise<void> {
  const place = (row: number): [shardId: number, row: number] => [(row % SHARDS) + 1, Math.floor(row / SHARDS)]
  const shardOf = (_city: object, row: number): number => place(row)[0]
  await db.load(CITY, cities, { shardOf, keyOf: (_city, row) => keyOfRow(...place(row)) }).finish()
  for (const connection of cluster.connections) {
    await using client = await connect(connection)
    if (connection === firstOf(cluster)) {
      await client.query(
        `create table ${TABLE} (id bigint primary key, type smallint not null, body hstore not null, updated timestamp)`,
      )
      const ids = cities.map((_, row) => String(keyOfRow(...place(row))))
      const bodies = cities.map(encodeHstore)
      await client.query(
        `insert into ${TABLE} (id, type, body) select id, ${CITY}, body::hstore from unnest($1::bigint[], $2::text[]) as given (id, body)`,
        [ids, bodies],
      )
    }
    await client.query('vacuum analyze')
  }
}

async function connect(connection: ClusterConnection): Promise<Client & AsyncDisposable> {
  const client = new Client(connection)
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

function firstOf({ connections: [first] }: Cluster): ClusterConnection {
  if (first === undefined) throw new Error('a cluster has a server')
  return first
}
