import type { Lease } from './lease.ts'
import type { ServerPool } from './server-pool.ts'

/** Longest time for the answer. Too long makes those wait who share a statement with a locked row. */
const LOOK_TIMEOUT_MS = 500

/** No row behind a pooler, which tells numbers of its own. */
const findWait = `select wait_event_type as hv_wait from pg_stat_activity where pid = $1`

/**
 * Whether the backend of a client waits for a lock, rather than work or wait for something else, such as a standby. True as
 * well when that cannot be found out soon: because the pool has no connection for the question, or the server no answer.
 * Never rejects.
 */
export async function mayWaitForLock(pool: ServerPool, client: object): Promise<boolean> {
  if (!pool.canServe) return true
  try {
    const lease = await pool.acquire({ timeoutMs: LOOK_TIMEOUT_MS })
    return await ask(lease, (client as { processID?: unknown }).processID)
  } catch {
    return true
  }
}

async function ask(lease: Lease, processId: unknown): Promise<boolean> {
  await using _ = lease
  const timer = setTimeout(() => {
    if (!lease.isReturned) lease.destroy()
  }, LOOK_TIMEOUT_MS)
  try {
    // Bound: LOOK_TIMEOUT_MS.
    const { rows } = await lease.client.query<{ hv_wait: string | null }>(findWait, [processId])
    const [backend] = rows
    return backend === undefined || backend.hv_wait === 'Lock'
  } finally {
    clearTimeout(timer)
  }
}
