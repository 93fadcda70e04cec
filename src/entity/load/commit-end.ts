import { shardSchema } from '../../key/shard-id.ts'
import { pause } from '../../pool/pause.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import { ShardSession, withShardSession, type ShardStatement } from '../../shard/shard-session.ts'
import { waitForBatch } from '../rows/batch-keys.ts'
import type { BatchTicket } from './load-batch.ts'
import type { WriterSettings } from './writer-settings.ts'

/** Longest time in which a server is asked for the end of a transaction. */
const PATIENCE_MS = 5_000
const PAUSE_MS = 50

/** How a transaction ended, as far as the server can tell. */
export type CommitEnd = 'committed' | 'aborted' | 'unknown'

/** What the server says about a transaction. */
export interface ProbeReading {
  /** What `pg_xact_status` says; null for one that is long over, or that was another server's. */
  readonly status: string | null
  /** Whether the row with the id is there. */
  readonly isThere: boolean
}

/** Where a transaction is looked up, and with what. */
export interface ProbeGround {
  readonly pool: ServerPool
  readonly settings: WriterSettings
}

/**
 * Asks the server, on another connection, how a transaction ended whose commit was not answered. Waits while the server
 * still works on it or cannot be asked, for a bounded time.
 */
export function waitForEnd(ticket: BatchTicket, ground: ProbeGround): Promise<CommitEnd> {
  return pollForEnd((timeLeftMs) => tryRead(ticket, ground, timeLeftMs))
}

/** As {@link waitForEnd}, but throws when the server cannot be asked. */
export function lookUpEnd(ticket: BatchTicket, ground: ProbeGround, signal?: AbortSignal): Promise<CommitEnd> {
  const { pool, settings } = ground
  const request = { ...settings, pool, shardId: ticket.shardId, signal }
  return pollForEnd(() => withShardSession(request, (session) => read(ticket, session)), signal)
}

async function pollForEnd(
  readOnce: (timeLeftMs: number) => Promise<ProbeReading | undefined>,
  signal?: AbortSignal,
): Promise<CommitEnd> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const end = decideEnd(await readOnce(deadline - performance.now()))
    if (end !== 'wait') return end
    if (performance.now() + PAUSE_MS >= deadline) return 'unknown'
    await pause(PAUSE_MS, signal)
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
  ticket: BatchTicket,
  { pool, settings: { log, statementTimeoutMs } }: ProbeGround,
  timeLeftMs: number,
): Promise<ProbeReading | undefined> {
  try {
    await using lease = (await pool.acquire({ timeoutMs: Math.max(1, timeLeftMs) })).vouch()
    return await read(ticket, new ShardSession(ticket.shardId, lease, log, Math.min(statementTimeoutMs, PATIENCE_MS)))
  } catch {
    return undefined
  }
}

/** Two statements: the second sees what the transaction wrote if it ended before the first. */
async function read(ticket: BatchTicket, session: ShardSession): Promise<ProbeReading> {
  const isThatServer = session.serverId === ticket.serverId
  const [status] = await session.run(isThatServer ? selectStatus(ticket) : waitForBatch(ticket.shardId, ticket.key))
  const [found] = await session.run(selectRow(ticket))
  return { status: (isThatServer && status?.[0]) || null, isThere: found !== undefined }
}

function selectStatus({ transactionId }: BatchTicket): ShardStatement {
  return { text: 'select pg_xact_status($1::xid8)', values: [transactionId], isWrite: false }
}

function selectRow({ shardId, key }: BatchTicket): ShardStatement {
  return { text: `select id from ${shardSchema(shardId)}.entities where id = $1`, values: [key], isWrite: false }
}
