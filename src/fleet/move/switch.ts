import { isHypervaultError } from '../../errors.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { ShardLease } from '../lease.ts'
import { strikeIn, writeStepIn, type Cleanup } from './journal.ts'
import type { MovePhase } from './move-record.ts'
import { pause } from './wait.ts'

/** One change of the place of a shard. */
export interface Switch {
  readonly moveId: number
  readonly shardId: number
  readonly from: string
  readonly to: string
  readonly phase: MovePhase
  /** What is no longer to be cleaned up, because it is in use from now on. */
  readonly keep: readonly Cleanup[]
  /** What is to be cleaned up in its place. */
  readonly drop: readonly Cleanup[]
  /** What later steps need to know. */
  readonly done: Readonly<Record<string, unknown>>
}

const ASK_TIMES = 50
const ASK_PAUSE_MS = 200

/**
 * The point of no return: placement, epoch, phase and cleanups change in one transaction of the catalog, under the
 * lease. When the connection ends during the commit, the catalog is asked what became of it.
 *
 * @throws `HV_OUTCOME_UNKNOWN` when the catalog cannot be asked either; with every other error nothing has changed
 */
export async function switchOver(catalog: Catalog, lease: ShardLease, change: Switch): Promise<void> {
  const { moveId, shardId, from, to, phase } = change
  const record = { action: 'move shard', details: { moveId, shardId, from, to } }
  try {
    await catalog.change(record, async (session, next) => {
      await lease.assertHeldIn(session)
      await place(session, change, next)
      await session.read({
        text: [
          'update hypervault.moves set phase = $2, switched_epoch = $3, changed_at = clock_timestamp()',
          'where move_id = $1',
        ].join('\n'),
        values: [String(moveId), phase, String(next)],
      })
      for (const cleanup of change.keep) await strikeIn(session, moveId, cleanup)
      for (const cleanup of change.drop) await recordIn(session, moveId, cleanup)
      for (const [step, details] of Object.entries(change.done)) {
        await writeStepIn(session, moveId, { step, state: 'done', details })
      }
    })
  } catch (error) {
    if (!isHypervaultError(error, 'HV_OUTCOME_UNKNOWN')) throw error
    await assertSwitched(catalog, change, error)
  }
}

/** Changes the place of a shard: shard, old and new server, epoch. */
export const placeSql = [
  'update hypervault.placements set server_id = $3, epoch = $4',
  'where shard_id = $1 and server_id = $2',
  'returning shard_id',
].join('\n')

async function place(session: ServerSession, { shardId, from, to }: Switch, epoch: number): Promise<void> {
  const rows = await session.read({
    text: placeSql,
    values: [String(shardId), from, to, String(epoch)],
  })
  if (rows.length !== 1) throw new Error(`bug: shard ${shardId} does not live on server ${from}`)
}

async function recordIn(session: ServerSession, moveId: number, { serverId, kind, name }: Cleanup): Promise<void> {
  await session.read({
    text: [
      'insert into hypervault.cleanups (move_id, server_id, kind, name) values ($1, $2, $3, $4)',
      'on conflict (move_id, server_id, kind, name) do update set done_at = null',
    ].join('\n'),
    values: [String(moveId), serverId, kind, name],
  })
}

/** Throws unless the switch was committed after all: what it failed with, or `unknown` when nobody can tell. */
async function assertSwitched(catalog: Catalog, { moveId, phase }: Switch, unknown: unknown): Promise<void> {
  const text = 'select phase from hypervault.moves where move_id = $1 for update'
  for (let asked = 1; asked <= ASK_TIMES; asked += 1) {
    try {
      // The commit in question holds a lock on this row: reading it for update waits for its end.
      const [row] = await catalog.withSession((session) => session.read({ text, values: [String(moveId)] }))
      if (row?.[0] === phase) return
      throw new Error('the connection to the catalog ended before the switch was committed', { cause: unknown })
    } catch (error) {
      if (!isHypervaultError(error)) throw error
      await pause(ASK_PAUSE_MS, undefined)
    }
  }
  throw unknown
}
