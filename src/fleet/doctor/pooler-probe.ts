import type { Lease } from '../../pool/lease.ts'
import { ServerSession } from '../../server/server-session.ts'

/** How often it is looked; a pooler may give the same connection again by chance. */
const ROUNDS = 3
const STATEMENT_MS = 10_000

/**
 * Finds out whether there is a pooler in transaction mode on the way: of two connections of ours each must stay with one
 * process of the server, whichever of them is in a transaction, and not with the same one.
 */
export async function isPooled(acquire: () => Promise<Lease>): Promise<boolean> {
  await using left = await acquire()
  await using right = await acquire()
  const sides = [left, right].map((lease) => ({
    session: new ServerSession(lease, STATEMENT_MS),
    seen: new Set<string>(),
  }))
  for (let round = 0; round < ROUNDS; round += 1) {
    const [idle, busy] = round % 2 === 0 ? sides : [...sides].reverse()
    if (idle === undefined || busy === undefined) throw new Error('bug: two sides')
    await look(idle)
    await busy.session.transaction(['begin'], async () => {
      await look(busy)
      await look(idle)
    })
  }
  const processes = sides.flatMap(({ seen }) => [...seen])
  return processes.length !== sides.length || new Set(processes).size !== sides.length
}

async function look({ session, seen }: { session: ServerSession; seen: Set<string> }): Promise<void> {
  const [row] = await session.read({ text: 'select pg_backend_pid()' })
  seen.add(row?.[0] ?? '')
}
