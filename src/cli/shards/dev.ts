import type { Command } from 'commander'
import { assertPostgresVersion, type PostgresVersion } from '../../embedded/postgres-version.ts'
import { startCluster, type Cluster } from '../../embedded/start-cluster.ts'
import { parseShardRange, splitShardRange } from '../../topology/shard-range.ts'
import { parseWhole } from '../arguments/numbers.ts'
import { checkUsage } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { ProgressSum } from '../terminal/progress-sum.ts'
import { Progress } from '../terminal/progress.ts'
import { ReaderWatch } from '../terminal/reader-watch.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { formatTable } from '../terminal/table.ts'

interface DevOptions {
  readonly servers: string
  readonly shards: string
  readonly pgVersion?: string
  readonly fleet?: boolean
}

interface DevCluster {
  readonly servers: number
  readonly shards: string
  readonly version: PostgresVersion | undefined
  readonly catalog: boolean
}

/** `npx pg-hypervault dev`: real servers for development, for as long as it runs. */
export function addDevCommand(program: Command, context: Context): void {
  program
    .command('dev')
    .summary('start PostgreSQL servers for development, until Ctrl-C')
    .description(
      'Starts real PostgreSQL servers from npm packages, creates the shards on them, prints how to connect, and runs until Ctrl-C. Then it removes everything: processes and data. Reads no configuration.',
    )
    .option('--servers <count>', 'number of servers', '2')
    .option('--shards <range>', 'logical shards, spread evenly; the end is not included', '1-17')
    .option('--fleet', 'register the servers in a catalog; all servers after the second are empty, to move shards to')
    .option('--pg-version <version>', 'PostgreSQL 15, 16, 17 or 18 (default: 18)')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault dev
  npx pg-hypervault dev --servers 3 --shards 1-65 --pg-version 17
  npx pg-hypervault dev --json > hypervault.config.json &
  npx pg-hypervault dev --servers 3 --fleet --json > hypervault.config.json &

With --json: { "connections": [{ "shards", "host", "port", "user", "password", "database" }] }, with --fleet
{ "catalog" }: both are configurations.
To use other binaries, set HYPERVAULT_PG_BIN to a folder with initdb and postgres.`,
    )
    .action((options: DevOptions) => runDev(options, context))
}

async function runDev(options: DevOptions, context: Context): Promise<void> {
  context.assertNoConfigFlags()
  const wanted = checkUsage(() => parseOptions(options))
  using stop = new StopRequest(context.signals, context.output.closed)
  try {
    await using cluster = await startWithProgress(wanted, stop.signal, context)
    await printCluster(cluster, context)
    using _ = new ReaderWatch(context.output.stdout)
    await stop.wait()
    context.output.talk('Stopping.')
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

function parseOptions({ servers, shards, pgVersion, fleet = false }: DevOptions): DevCluster {
  const count = parseWhole('--servers', servers)
  splitShardRange(parseShardRange(shards, '--shards'), count)
  const version = pgVersion === undefined ? undefined : Number(pgVersion)
  if (version !== undefined) assertPostgresVersion(version)
  return { servers: count, shards, version, catalog: fleet }
}

async function startWithProgress(
  { servers, shards, version, catalog }: DevCluster,
  signal: AbortSignal,
  { output }: Context,
): Promise<Cluster> {
  const { first, end } = parseShardRange(shards, '--shards')
  using progress = new Progress(output, { title: 'dev', unit: 'shards', total: end - first })
  const sum = new ProgressSum(progress)
  return await startCluster({ servers, shards, version, catalog, signal, onProgress: (event) => sum.add(event) })
}

async function printCluster({ connections, servers, catalog }: Cluster, { output, isJson }: Context): Promise<void> {
  const what = servers.length === 1 ? 'One server' : `${servers.length} servers`
  output.talk(
    `${what} of PostgreSQL ${servers[0]?.version}. Ctrl-C stops and removes ${servers.length === 1 ? 'it' : 'them'}.`,
  )
  if (isJson) return output.json(catalog === undefined ? { connections } : { catalog })
  const columns = ['server', 'shards', 'connection string'].map((head) => ({ head, align: 'left' as const }))
  const rows = servers.map((server, index) => {
    return [`s${index + 1}`, connections[index]?.shards ?? '', server.connectionString]
  })
  const last = catalog === undefined ? [] : [['catalog', '', catalog]]
  await output.data(formatTable(columns, [...rows, ...last]))
}
