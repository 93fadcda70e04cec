import { Client } from 'pg'
import { vi } from 'vitest'

/**
 * Runs the work and tells how many statements `pg` sent for it, on all connections of this process. What sweeps a session
 * afterwards, behind whoever used it, is not counted.
 */
export async function countStatements(work: () => Promise<unknown>): Promise<number> {
  const query = vi.spyOn(Client.prototype, 'query')
  try {
    await work()
    const sent = query.mock.calls as unknown[][]
    return sent.filter(([statement]) => Object(statement).constructor.name !== 'SweepQuery').length
  } finally {
    query.mockRestore()
  }
}
