import type { Command } from 'commander'
import { labelOf } from '../../schema/migrations/migration.ts'
import type { MigrationPlan } from '../../schema/migrations/plan/describe-plan.ts'
import type { Wave } from '../../schema/migrations/plan/plan-waves.ts'
import { withUsageCheck } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { tellFailures } from '../terminal/failure-lines.ts'
import { addScopeOptions, findSource, readScope, type ScopeOptions } from './migrate-options.ts'

/** `npx pg-hypervault migrate plan`: what would run where. */
export function addMigratePlanCommand(migrate: Command, context: Context): void {
  addScopeOptions(
    migrate
      .command('plan')
      .summary('print what would run where, and change nothing')
      .description('Prints which migrations would run in which shards, in which order, and changes nothing.'),
  )
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault migrate plan
  npx pg-hypervault migrate plan --to 0042 --shards 17

With --json: { "stages": [{ "migrations": [{ "id", "name" }], "waves": [{ "isCanary", "servers": [{ "serverId",
"shardIds" }] }] }], "shards": [{ "serverId", "shardId", "migrations" }], "held", "unfit", "unreachable" }.`,
    )
    .action((options: ScopeOptions) => runMigratePlan(options, context))
}

/** Prints what would run where. */
export async function runMigratePlan(options: ScopeOptions, context: Context): Promise<void> {
  const scope = { ...readScope(options), migrations: await findSource(options, context) }
  const plan = await context.withDatastore((db) => withUsageCheck(() => db.migrations.plan(scope)))
  if (plan.unreachable.length > 0) context.exitCode = 1
  if (context.isJson) return context.output.json(plan)
  await printPlan(plan, context)
}

async function printPlan({ stages, held, unfit, unreachable }: MigrationPlan, { output }: Context): Promise<void> {
  if (stages.length === 0) output.talk('No migrations are left to run.')
  for (const [index, { migrations, waves }] of stages.entries()) {
    await output.data(`${index > 0 ? '\n' : ''}${migrations.map(labelOf).join(', ')}`)
    for (const [number, wave] of waves.entries()) await output.data(describeWave(wave, number + 1))
  }
  const failures = [
    ...unfit.map(({ problem, ...place }) => ({ ...place, message: problem })),
    ...unreachable.map(({ serverId, problem }) => ({ serverId, message: problem })),
  ]
  tellFailures(failures, output)
  if (held.length > 0) output.talk(describeHeld(held.map(labelOf)))
}

function describeWave({ isCanary, servers }: Wave, number: number): string {
  const lines = servers.map(({ serverId, shardIds }) => `${serverId} ${formatShards(shardIds)}`)
  const count = servers.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  const shards = `${formatCount(count)} ${count === 1 ? 'shard' : 'shards'}`
  return `  ${isCanary ? 'canary' : `wave ${number}`}: ${shards}: ${lines.join('; ')}`
}

/** What is held back, and how it is run. */
export function describeHeld(labels: readonly string[]): string {
  const [first = '', ...others] = labels
  const rest = others.length > 0 ? `, and with it ${others.join(', ')}` : ''
  return `${first} is breaking and held back${rest}. When no code needs the objects that it removes, add --breaking`
}
