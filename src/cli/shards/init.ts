import type { Command } from 'commander'
import { planServers, type ProvisionPlan } from '../../schema/provision.ts'
import { formatShardRanges, parseShardRanges } from '../../topology/shard-range.ts'
import type { Context } from '../context.ts'
import { printReport, printSql, summarizePlan, tellUnplaced } from './provision-report.ts'
import { provisionWithProgress, type ProvisionRun } from './provision-run.ts'
import { tellOutsideSpread } from './spread-note.ts'

/** `npx pg-hypervault init`: makes the shards on the configured servers. */
export function addInitCommand(program: Command, context: Context): void {
  program
    .command('init')
    .summary('create the shards on the configured servers')
    .description(
      'Creates the logical shards on the configured servers: creates missing shards, adopts those that the original hypervault created, and leaves the others unchanged. Safe to repeat, and to stop at any point.',
    )
    .option('--dry-run', 'print the SQL, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault init
  npx pg-hypervault init --dry-run > init.sql
  npx pg-hypervault init --config production.config.ts --json

With --json: { "servers": [{ "serverId", "version", "created", "adopted", "unchanged" }], "unplaced" }, each a list of
shards; with --dry-run the servers also have "transactions", the SQL.`,
    )
    .action(({ dryRun }: { dryRun?: boolean }) => (dryRun === true ? runDry(context) : runInit(context)))
}

async function runInit(context: Context): Promise<void> {
  const wanted = await loadServers(context)
  const report = await provisionWithProgress({ title: 'init', ...wanted }, context.output)
  if (context.isJson) return context.output.json(report)
  tellUnplaced(report, context)
  await printReport(report.servers, 'created', context)
  const spread = wanted.spread === undefined ? undefined : parseShardRanges(wanted.spread, 'spread')
  tellOutsideSpread({ spread, shardIds: wanted.servers.flatMap((server) => server.shardIds) }, context)
}

async function runDry(context: Context): Promise<void> {
  const { servers, ...options } = await loadServers(context)
  const plan = await planServers(servers, options)
  if (context.isJson) return context.output.json(toDocument(plan))
  tellUnplaced(plan, context)
  await printSql(plan, context)
}

function toDocument({ servers, unplaced }: ProvisionPlan): unknown {
  return {
    servers: servers.map((server) => ({ ...summarizePlan(server), transactions: server.transactions })),
    unplaced,
  }
}

async function loadServers(context: Context): Promise<Omit<ProvisionRun, 'title'>> {
  const config = await context.loadConfig()
  const topology = await context.loadTopology(config)
  const { migrations } = config.options
  const spread = config.topology === undefined ? formatShardRanges(topology.spread) : config.options.spread
  return {
    servers: topology.servers,
    epochMs: config.epochMs,
    ...(spread !== undefined && spread !== '' && { spread }),
    ...(migrations !== undefined && { migrations }),
  }
}
