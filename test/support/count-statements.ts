import { Client } from 'pg'
import { vi } from 'vitest'

/** Runs the work and tells how many statements `pg` sent for it, on all connections of this process. */
export async function countStatements(work: () => Promise<unknown>): Promise<number> {
  const query = vi.spyOn(Client.prototype, 'query')
  try {
    await work()
    return query.mock.calls.length
  } finally {
    query.mockRestore()
  }
}
