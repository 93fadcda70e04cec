import type { ServerPlan } from '../../schema/plan-server.ts'
import type { ShardOutcome } from '../../schema/plan-shard.ts'
import type { ProvisionPlan } from '../../schema/provision.ts'
import type { ServerReport } from '../../schema/server-provision.ts'
import type { Context } from '../context.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { formatTable } from '../terminal/table.ts'

/** What a plan comes to, in the form of a report. */
export function summarizePlan({ serverId, version, shards }: ServerPlan): ServerReport {
  const withOutcome = (outcome: ShardOutcome): number[] =>
    shards.filter((shard) => shard.outcome === outcome).map(({ shardId }) => shardId)
  const [created, adopted, unchanged] = [withOutcome('created'), withOutcome('adopted'), withOutcome('unchanged')]
  return { serverId, version, created, adopted, unchanged }
}

/** Prints how many shards of each server came to what; `created` may go by another name. */
export function printReport(servers: readonly ServerReport[], createdHead: string, { output }: Context): Promise<void> {
  const heads = ['postgres', createdHead, 'adopted', 'unchanged']
  const columns = heads.map((head) => ({ head, align: 'right' as const }))
  const rows = servers.map(({ serverId, version, created, adopted, unchanged }) => {
    const counts = [created, adopted, unchanged].map(({ length }) => formatCount(length))
    return [serverId, version, ...counts]
  })
  return output.data(formatTable([{ head: 'server', align: 'left' }, ...columns], rows))
}

/** Prints the SQL of a plan as a script for each server. */
export async function printSql({ servers }: Pick<ProvisionPlan, 'servers'>, { output }: Context): Promise<void> {
  for (const { serverId, version, transactions } of servers) {
    const state = transactions.length === 0 ? ': nothing to do' : ''
    await output.data(`-- server ${serverId}, PostgreSQL ${version}${state}`)
    for (const transaction of transactions) await output.data(transaction)
  }
}

/** Tells which shards were found that the connections place nowhere. */
export function tellUnplaced({ unplaced }: Pick<ProvisionPlan, 'unplaced'>, { output }: Context): void {
  for (const serverId of new Set(unplaced.map((shard) => shard.serverId))) {
    const shardIds = unplaced.filter((shard) => shard.serverId === serverId).map(({ shardId }) => shardId)
    output.talk(
      `${serverId} holds shards that no entry of connections includes; they were left unchanged: ${formatShards(shardIds)}`,
    )
  }
}
