import type { ClientBase } from 'pg'

/** Time zone and encoding of every session, as the original sets them; dates in the form that is parsed here. */
const SESSION_SQL = "set time zone 'UTC'; set client_encoding to 'UTF8'; set datestyle to 'ISO, MDY'"

/**
 * Sets up a fresh session.
 *
 * @param more what else is to be done before the first borrower gets it
 * @param giveUp ends the session from outside; called when the server has not answered within `timeoutMs`
 */
export async function prepareSession(
  client: ClientBase,
  { timeoutMs, giveUp, more }: { timeoutMs: number; giveUp: () => void; more: () => Promise<void> | undefined },
): Promise<void> {
  const timer = setTimeout(giveUp, timeoutMs)
  try {
    await client.query(SESSION_SQL)
    await more()
  } finally {
    clearTimeout(timer)
  }
}
