import type { ServerClient } from './server-client.ts'

/** The same for a session whose start-up message did not bring them about. */
export const SESSION_SQL = "set time zone 'UTC'; set client_encoding to 'UTF8'; set datestyle to 'ISO, MDY'"

/**
 * Sets up a fresh session, unless the server has said that it is: what is in the start-up message is what `reset all`
 * leads back to. A pooler may keep such parameters to itself.
 *
 * @param more what else is to be done before the first borrower gets it
 * @param giveUp ends the session from outside; called when the server has not answered within `timeoutMs`
 */
export async function prepareSession(
  client: ServerClient,
  { timeoutMs, giveUp, more }: { timeoutMs: number; giveUp: () => void; more: () => Promise<void> | undefined },
): Promise<void> {
  const timer = setTimeout(giveUp, timeoutMs)
  try {
    // Bound: `timeoutMs`, after which `giveUp` is called.
    if (!client.hasOwnSettings) await client.query(SESSION_SQL)
    await more()
  } finally {
    clearTimeout(timer)
  }
}

/** SQLSTATEs of a start-up message with parameters that whoever answers does not know or does not allow. */
const refusals: ReadonlySet<unknown> = new Set([
  '08P01', // protocol_violation: what pgbouncer says
  '42704', // undefined_object
  '22023', // invalid_parameter_value
  '0A000', // feature_not_supported
])

/** True for an error of connecting that says that it was asked for too much: without parameters it may go. */
export function refusesParameters(error: unknown): boolean {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  return refusals.has(code) && /parameter/i.test(String(message))
}
