import type { Command } from 'commander'
import type { ServerPlan } from '../../schema/plan-server.ts'
import { planServers, type ProvisionPlan } from '../../schema/provision.ts'
import type { ServerReport } from '../../schema/server-provision.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import { narrowToExisting } from './existing-shards.ts'
import { printReport, printSql, summarizePlan, tellUnplaced } from './provision-report.ts'
import { provisionWithProgress } from './provision-run.ts'

/** What became of a server of which nothing was created. */
type AdoptReport = Omit<ServerReport, 'created'> & { readonly missing: readonly number[] }

/** `npx pg-hypervault adopt`: takes over the shards that are there, and creates none. */
export function addAdoptCommand(program: Command, context: Context): void {
  program
    .command('adopt')
    .summary('adopt existing shards, create none')
    .description(
      'Adopts the shards that the original hypervault created, without rewriting a row. Works like init, but reports missing shards and does not create them.',
    )
    .option('--dry-run', 'print the SQL, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault adopt --dry-run
  npx pg-hypervault adopt

With --json: { "servers": [{ "serverId", "version", "adopted", "unchanged", "missing" }], "unplaced" }, each a list of
shards; with --dry-run also "transactions", the SQL.`,
    )
    .action(({ dryRun }: { dryRun?: boolean }) => runAdopt(dryRun === true, context))
}

async function runAdopt(isDry: boolean, context: Context): Promise<void> {
  const { topology, epochMs, options } = await context.loadConnections()
  const terms = { epochMs, ...(options.spread !== undefined && { spread: options.spread }) }
  const plan = await planServers(topology.servers, terms)
  const servers = narrowToExisting(topology.servers, plan.servers)
  tellUnplaced(plan, context)
  if (isDry) return printPlans(await planServers(servers, terms), plan, context)
  await provisionWithProgress({ title: 'adopt', servers, ...terms }, context.output)
  await printAdopted(plan, context)
}

async function printPlans(
  narrowed: ProvisionPlan,
  { servers, unplaced }: ProvisionPlan,
  context: Context,
): Promise<void> {
  if (!context.isJson) return printSql(narrowed, context)
  const withSql = servers.map((server, index) => ({
    ...toReport(server),
    transactions: narrowed.servers[index]?.transactions ?? [],
  }))
  await context.output.json({ servers: withSql, unplaced })
}

async function printAdopted({ servers, unplaced }: ProvisionPlan, context: Context): Promise<void> {
  if (context.isJson) return context.output.json({ servers: servers.map(toReport), unplaced })
  await printReport(servers.map(summarizePlan), 'missing', context)
  const missing = servers.reduce((sum, server) => sum + toReport(server).missing.length, 0)
  if (missing > 0)
    context.output.talk(`${formatCount(missing)} shards are missing: npx pg-hypervault init creates them`)
}

function toReport(plan: ServerPlan): AdoptReport {
  const { created: missing, ...report } = summarizePlan(plan)
  return { ...report, missing }
}
