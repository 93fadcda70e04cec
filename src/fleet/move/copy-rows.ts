import { to as copyTo } from 'pg-copy-streams'
import { serverError } from '../../server/server-error.ts'
import { copyIn } from '../../shard/copy-in.ts'
import type { OwnSession } from '../servers.ts'

/** Two statements of COPY, of which the one takes what the other gives. */
export interface CopyStatements {
  readonly out: string
  readonly in: string
}

/** What a part of the rows waits for before it goes on, and how large it is at most. */
export interface CopyGate {
  readonly maxBytes: number
  readonly pass: (part: Buffer) => Promise<void>
}

/**
 * Carries rows from one session to another. One part is under way at a time, of at most what a socket gives at once, however
 * large the table and its rows are.
 *
 * @throws the coded error of the side that failed, or what the gate throws; both sessions are to be closed then
 */
export async function carryRows(
  from: OwnSession,
  to: OwnSession,
  statements: CopyStatements,
  gate: CopyGate,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const parts = passThrough(copyOut(from, statements.out), gate, (error) => (failure = { error }))
  try {
    await copyIn(to.lease.client, statements.in, parts, () => undefined)
  } catch (error) {
    throw failure?.error === error ? error : serverError(to.lease.serverId, error)
  }
}

async function* copyOut({ lease }: OwnSession, text: string): AsyncGenerator<Buffer> {
  try {
    // Bound: the stall time-out of the move, which ends both sessions.
    yield* lease.client.query(copyTo(text)) as AsyncIterable<Buffer>
  } catch (error) {
    throw serverError(lease.serverId, error)
  }
}

async function* passThrough(
  chunks: AsyncIterable<Buffer>,
  { maxBytes, pass }: CopyGate,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += maxBytes) {
        const part = chunk.subarray(at, at + maxBytes)
        await pass(part)
        yield part
      }
    }
  } catch (error) {
    onFailure(error)
    throw error
  }
}
