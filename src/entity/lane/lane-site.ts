import type { Channel } from '../../pool/channel.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import type { StatementLog } from '../../pool/statement-log.ts'
import type { ApartDesk } from './apart-desk.ts'

/** Where a lane works. */
export interface LaneSite {
  readonly shardId: number
  readonly pool: ServerPool
  readonly log: StatementLog
  /** Longest time in the queue. */
  readonly waitTimeoutMs: number
  /** Longest time of a statement. */
  readonly statementTimeoutMs: number
  /** Where those go that kept others waiting. */
  readonly apart: ApartDesk
  /** The channel to board next. */
  pickChannel(waitsForRows: boolean): Channel
  /** Resolves when a refusal may have become untrue, because the shard moves; throws it otherwise. */
  follow(refusal: unknown, attempt: number, leftMs: number): Promise<void>
}
