import type { ServerSession } from '../server/server-session.ts'

/** One change of a fleet: who did what, and the epoch that it made. */
export interface FleetChange {
  readonly epoch: number
  readonly at: Date
  readonly actor: string
  /** Such as `add server`, `move shard`. */
  readonly action: string
  readonly details: Readonly<Record<string, unknown>>
}

/** The last changes, the newest first. */
export async function listChanges(session: ServerSession, limit: number): Promise<FleetChange[]> {
  const rows = await session.read({
    text: [
      'select epoch, to_char(at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'), actor, action, details',
      'from hypervault.history',
      'order by history_id desc',
      'limit $1',
    ].join('\n'),
    values: [String(limit)],
  })
  return rows.map(([epoch, at, actor, action, details]) =>
    Object.freeze({
      epoch: Number(epoch),
      at: new Date(at ?? ''),
      actor: actor ?? '',
      action: action ?? '',
      details: JSON.parse(details ?? '{}') as Record<string, unknown>,
    }),
  )
}
