import { CANCEL_TIMEOUT_MS, requestCancel } from './cancel-request.ts'
import { pause } from './pause.ts'
import { takeStream } from './pg-internals.ts'

/**
 * How long the server has to let go of a session that is cut. One that is still there then counts no more: the server does not
 * answer, and what it does with the session is out of reach.
 */
const ENDING_TIMEOUT_MS = CANCEL_TIMEOUT_MS

/** Pause before the cancel request is repeated: it ends one statement, and others may have been sent behind that. */
const REPEAT_MS = 100

/** The message of the protocol that says goodbye. */
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4])

/**
 * Ends a session whose server is at work: for pg its connection has ended, with all that is in flight; the socket stays open
 * until the server closes it, which it does when the session is gone. Resolves then, or after {@link ENDING_TIMEOUT_MS}.
 * Never rejects.
 */
export async function endSession(client: object): Promise<void> {
  const stream = takeStream(client)
  const timer = setTimeout(() => stream.destroy(), ENDING_TIMEOUT_MS)
  // Bound: ENDING_TIMEOUT_MS.
  const whenClosed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.on('error', () => stream.destroy())
  stream.resume()
  stream.end(TERMINATE)
  while (!stream.destroyed) {
    await Promise.race([requestCancel(client), whenClosed])
    await Promise.race([pause(REPEAT_MS, undefined), whenClosed])
  }
  clearTimeout(timer)
}
