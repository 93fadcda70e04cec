import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { compareLines } from '../../schema/drift/drift-report.ts'
import { OPENING, selectFingerprints, selectLines } from '../../schema/drift/shape/shape-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { MoveContext } from './move-context.ts'

/*
 * Before the first row is copied the shard is made at the target once as a whole, empty, in a transaction that is rolled
 * back: so whatever the target refuses, or makes in another way, is known at the beginning and not after hours.
 */

/** Most differences that are named. */
const MAX_NAMED = 5

/** What a server has of a shard, by the check for drift. */
interface Shape {
  readonly fingerprint: string
  readonly lines: readonly string[]
}

/**
 * Proves by the fingerprint of the check for drift that the shard will be the same at the target. Leaves nothing there.
 *
 * @throws `HV_MOVE_REFUSED` that names what would differ; `HV_STATEMENT_FAILED` for what the target refuses
 */
export async function rehearse(context: MoveContext): Promise<void> {
  const { move, source, target, epochMs } = context
  const { moveId, shardId } = move
  const { beforeCopy, afterCopy } = await context.definition()
  const readHere = (session: ServerSession): Promise<Shape> => readShape(session, shardId, epochMs)
  const wanted = await source.withSession((session) => session.transaction(OPENING, () => readHere(session)))
  const made = await target.withSession(
    (session) => undone(session, [...beforeCopy, ...afterCopy], () => readHere(session)),
    context.signal,
  )
  if (wanted.fingerprint === made.fingerprint) return
  const problems = differences(wanted, made).map(
    (line) => `server ${target.serverId} would create the shard differently: ${line}`,
  )
  const message = `shard ${shardId} cannot move: ${problems.join('; ')}`
  throw new HypervaultError('HV_MOVE_REFUSED', message, { moveId, shardId, problems })
}

/** Does work behind statements that are rolled back. */
async function undone<T>(session: ServerSession, statements: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    await session.execute(['begin', ...statements])
    return await work()
  } finally {
    await session.execute(['rollback'])
  }
}

async function readShape(session: ServerSession, shardId: number, epochMs: number): Promise<Shape> {
  const schemas = [shardSchema(shardId)]
  const [row] = await session.read(selectFingerprints(schemas, epochMs))
  const lines = await session.read(selectLines(schemas, epochMs))
  return { fingerprint: row?.[1] ?? '', lines: lines.map(([, line]) => line ?? '') }
}

function differences({ lines: left }: Shape, { lines: right }: Shape): string[] {
  const { missing, extra } = compareLines(left, right)
  const named = [...missing.map((line) => `missing ${line}`), ...extra.map((line) => `unexpected ${line}`)]
  return named.length <= MAX_NAMED ? named : [...named.slice(0, MAX_NAMED), `and ${named.length - MAX_NAMED} more`]
}
