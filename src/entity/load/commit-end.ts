import { setTimeout as delay } from 'node:timers/promises'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import { ShardSession, type ShardStatement } from '../../shard/shard-session.ts'
import type { WriterSettings } from './writer-settings.ts'

/** Longest time in which a server is asked for the end of a transaction. */
const PATIENCE_MS = 5_000
const PAUSE_MS = 50

/** A transaction whose commit was not answered, and one of the ids that it stores. */
export interface CommitProbe {
  readonly shardId: number
  readonly transactionId: string
  readonly id: string
}

/** How a transaction ended, as far as the server can tell. */
export type CommitEnd = 'committed' | 'aborted' | 'unknown'

/** What the server says about a transaction. */
export interface ProbeReading {
  /** What `pg_xact_status` says; null for one that is long over. */
  readonly status: string | null
  /** Whether the row with the id is there. */
  readonly isThere: boolean
}

/**
 * Asks the server, on another connection, how a transaction ended whose commit was not answered. Waits while the server
 * still works on it, for a bounded time.
 */
export async function waitForEnd(probe: CommitProbe, pool: ServerPool, settings: WriterSettings): Promise<CommitEnd> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const end = decideEnd(await tryRead(probe, pool, settings, deadline - performance.now()))
    if (end !== 'wait') return end
    if (performance.now() + PAUSE_MS >= deadline) return 'unknown'
    await delay(PAUSE_MS)
  }
}

/**
 * Decides what a reading says. The row decides, not the status: after a failover another transaction may have the number.
 * Committed without the row means deleted since, or just that.
 */
export function decideEnd(reading: ProbeReading | undefined): CommitEnd | 'wait' {
  if (reading === undefined || reading.status === 'in progress') return 'wait'
  if (reading.isThere) return 'committed'
  return reading.status === 'committed' ? 'unknown' : 'aborted'
}

/** Undefined while the server cannot be asked. */
async function tryRead(
  probe: CommitProbe,
  pool: ServerPool,
  { log, statementTimeoutMs }: WriterSettings,
  timeLeftMs: number,
): Promise<ProbeReading | undefined> {
  try {
    await using lease = await pool.acquire({ timeoutMs: Math.max(1, timeLeftMs) })
    const session = new ShardSession(probe.shardId, lease, log, Math.min(statementTimeoutMs, PATIENCE_MS))
    // Two statements: the second sees what the transaction wrote if it ended before the first.
    const [status] = await session.run(selectStatus(probe))
    const [found] = await session.run(selectRow(probe))
    return { status: status?.[0] ?? null, isThere: found !== undefined }
  } catch {
    return undefined
  }
}

function selectStatus({ transactionId }: CommitProbe): ShardStatement {
  return { text: 'select pg_xact_status($1::xid8)', values: [transactionId], isWrite: false }
}

function selectRow({ shardId, id }: CommitProbe): ShardStatement {
  return { text: `select id from ${shardSchema(shardId)}.entities where id = $1`, values: [id], isWrite: false }
}
