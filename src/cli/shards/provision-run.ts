import type { MigrationsOption } from '../../schema/migrations/sources/resolve-source.ts'
import { provisionServers, type ProvisionReport } from '../../schema/provision.ts'
import type { Server } from '../../topology/connection-entry.ts'
import { MigrateProgress } from '../migrate/migrate-progress.ts'
import type { Output } from '../terminal/output.ts'
import { ProgressSum } from '../terminal/progress-sum.ts'
import { Progress } from '../terminal/progress.ts'

/** What to provision. */
export interface ProvisionRun {
  readonly title: string
  readonly servers: readonly Server[]
  readonly epochMs: number
  /** The shards that values are spread over, if that is told. */
  readonly spread?: string
  /** Migrations that new shards begin with. */
  readonly migrations?: MigrationsOption
}

/** Provisions, and shows on standard error how far it is. */
export async function provisionWithProgress(
  { title, servers, ...options }: ProvisionRun,
  output: Output,
): Promise<ProvisionReport> {
  const total = servers.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  using progress = new Progress(output, { title, unit: 'shards', total })
  const sum = new ProgressSum(progress)
  using migrating = new MigrateProgress(output, `${title}: migrations of new shards`)
  return await provisionServers(servers, {
    ...options,
    onProgress: (event) => sum.add(event),
    onMigrate: (event) => {
      progress[Symbol.dispose]()
      migrating.update(event)
    },
  })
}
