import type { PoolClient } from 'pg'
import { isReady } from './pg-internals.ts'

/**
 * Resolves when the server is ready again, or the connection is gone. A statement's error comes before that, while the
 * state of the transaction is still told as it was.
 */
export function whenReady(client: PoolClient): Promise<void> {
  const { connection } = client
  if (isReady(client) || connection.stream.destroyed) return Promise.resolve()
  // Bound: that of the connection, whose end settles it.
  return new Promise((resolve) => {
    const settle = (): void => {
      connection.removeListener('readyForQuery', settle)
      connection.removeListener('end', settle)
      resolve()
    }
    connection.on('readyForQuery', settle)
    connection.on('end', settle)
  })
}
