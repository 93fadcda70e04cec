import { provisionServers, type ProvisionReport } from '../schema/provision.ts'
import type { Server } from '../topology/connection-entry.ts'
import type { Output } from './output.ts'
import { ProgressSum } from './progress-sum.ts'
import { Progress } from './progress.ts'

/** What to provision. */
export interface ProvisionRun {
  readonly title: string
  readonly servers: readonly Server[]
  readonly epochMs: number
}

/** Provisions, and shows on standard error how far it is. */
export async function provisionWithProgress(
  { title, servers, epochMs }: ProvisionRun,
  output: Output,
): Promise<ProvisionReport> {
  const total = servers.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  using progress = new Progress(output, { title, unit: 'shards', total })
  const sum = new ProgressSum(progress)
  return await provisionServers(servers, { epochMs, onProgress: (event) => sum.add(event) })
}
