import type { ProvisionProgress } from '../schema/provision-options.ts'
import { provision, type ProvisionReport } from '../schema/provision.ts'
import type { ConnectionEntry } from '../topology/connection-entry.ts'
import { parseShardRange } from '../topology/shard-range.ts'
import type { Output } from './output.ts'
import { ProgressSum } from './progress-sum.ts'
import { Progress } from './progress.ts'

/** What to provision. */
export interface ProvisionRun {
  readonly title: string
  /** Connections; each round begins when the one before has ended. */
  readonly rounds: readonly (readonly ConnectionEntry[])[]
  readonly epochMs: number
}

/** Provisions round by round, and shows on standard error how far it is. */
export async function provisionRounds(
  { title, rounds, epochMs }: ProvisionRun,
  output: Output,
): Promise<ProvisionReport[]> {
  using progress = new Progress(output, { title, unit: 'shards', total: countShards(rounds.flat()) })
  const sum = new ProgressSum(progress)
  const reports: ProvisionReport[] = []
  for (const [round, connections] of rounds.entries()) {
    const onProgress = (event: ProvisionProgress): void => sum.add(event, round)
    reports.push(await provision(connections, { epochMs, onProgress }))
  }
  return reports
}

function countShards(entries: readonly ConnectionEntry[]): number {
  const ranges = entries.map(({ shards }) => parseShardRange(shards, 'shards'))
  return ranges.reduce((sum, { first, end }) => sum + end - first, 0)
}
