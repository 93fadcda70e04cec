import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHstore, type Key } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import type { City } from '../../demo/cities.ts'
import { CITY, Ground } from '../ground/ground.ts'
import type { Goal } from '../measure/goals.ts'
import { rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Contender, type Series } from '../measure/rounds.ts'
import { HYPERVAULT, HypervaultClient } from '../peers/hypervault.ts'
import { PgPoolClient } from '../peers/pg-pool.ts'
import { putByUnnest, PG_UNNEST } from '../peers/pg-unnest.ts'
import { copyByStream, PG_COPY } from '../peers/pg-copy.ts'
import { copyByPsql, PSQL_COPY } from '../peers/psql.ts'
import { isRepeatedKey, MAX_ATTEMPTS } from '../peers/repeated-key.ts'
import type { Bench, Workload } from '../workload.ts'

const CASE = 'load'
const SHARD = 1
const TABLE = `${shardSchema(SHARD)}.entities`

/** Rows of the smoke form. */
const SMOKE_ROWS = 20_000

const goal: Goal = {
  what: 'load, keys returned',
  of: { case: CASE, contender: HYPERVAULT, metric: rate },
  against: [PSQL_COPY, PG_COPY].map((contender) => ({ case: CASE, contender, metric: rate })),
  must: 0.5,
  aim: 0.9,
}

/** All cities at once into one table. */
export const load: Workload = {
  name: 'load',
  title: 'load: all cities into one table; the files are written before, and give no keys',
  goals: [goal],
  run: measureLoads,
}

async function measureLoads({ plan, programs, signal, say }: Bench): Promise<Series[]> {
  say('load: starting a server')
  await using ground = await Ground.open({ shards: 1, signal })
  await using client = new HypervaultClient([ground.connection])
  await using peer = new PgPoolClient(ground.connection, { isPrepared: true })
  await using file = await CopyFile.write(plan.isSmoke ? ground.cities.slice(0, SMOKE_ROWS) : ground.cities)
  const { cities, path } = file
  const target = { table: TABLE, file: path }
  const { psql } = programs
  const ways: Way[] = [
    { name: HYPERVAULT, load: () => loadByHypervault(client, cities) },
    { name: PG_UNNEST, load: () => putByUnnest(peer.pool, SHARD, cities) },
    { name: PG_COPY, load: () => copyByStream(ground, target) },
    ...(psql ? [{ name: PSQL_COPY, load: () => copyByPsql(psql, ground, target, signal) }] : []),
  ]
  const cases = [{ name: CASE, contenders: ways.map((way) => contenderOf(way, ground, cities.length)) }]
  const total = countSamples(cases, plan.rounds)
  return await runRounds(cases, { rounds: plan.rounds, signal, onSample: (done) => say(CASE, done, total) })
}

/** A way to load the cities; resolves to the milliseconds that it took. */
interface Way {
  readonly name: string
  readonly load: () => Promise<number>
}

function contenderOf({ name, load }: Way, ground: Ground, rows: number): Contender {
  const measure = async (): Promise<ReadonlyMap<typeof rate, number>> => {
    const tookMs = await loadWithoutRepeatedKey(load, ground)
    await checkRows(ground, rows, name)
    return new Map([[rate, (rows * 1000) / tookMs]])
  }
  return { name, measure }
}

/** Loads into an empty table; from the beginning again if COPY met a key that `next_id()` had repeated. */
async function loadWithoutRepeatedKey(load: Way['load'], ground: Ground): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    await ground.truncate()
    try {
      return await load()
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isRepeatedKey(error)) throw error
    }
  }
}

async function loadByHypervault({ db }: HypervaultClient, cities: readonly City[]): Promise<number> {
  const startedAt = performance.now()
  const keys: Key[] = []
  for await (const key of db.load(CITY, cities, { shardOf: () => SHARD })) keys.push(key)
  const tookMs = performance.now() - startedAt
  if (keys.length !== cities.length) throw new Error(`load gave ${keys.length} keys for ${cities.length} rows`)
  return tookMs
}

async function checkRows(ground: Ground, expected: number, name: string): Promise<void> {
  const [row] = await ground.query<{ rows: number }>(`select count(*)::int as rows from ${TABLE}`)
  if (row?.rows !== expected) throw new Error(`${name} stored ${row?.rows} of ${expected} rows`)
}

/** The rows as COPY reads them from a file. */
class CopyFile implements AsyncDisposable {
  readonly cities: readonly City[]
  readonly path: string
  readonly #folder: string

  private constructor(folder: string, cities: readonly City[]) {
    this.#folder = folder
    this.path = join(folder, 'cities.txt')
    this.cities = cities
  }

  static async write(cities: readonly City[]): Promise<CopyFile> {
    const file = new CopyFile(await mkdtemp(join(tmpdir(), 'hypervault-bench-')), cities)
    await writeFile(file.path, cities.map((city) => `${CITY}\t${escapeField(encodeHstore(city))}\n`).join(''))
    return file
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }
}

/** Escapes what means something in the text format of COPY. */
function escapeField(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
}
