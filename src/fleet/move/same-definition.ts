import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { isNextIdBody } from '../../key/next-id-sql.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { touchedSequencesSql } from '../../schema/closed-sequences-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { readShardDefinition } from '../clone/read-shard-definition.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import type { FleetLink } from '../servers.ts'
import type { MoveContext, MoveSight } from './move-context.ts'
import type { MoveRecord } from './move-record.ts'
import { MARKER_TABLE } from './object-names.ts'

/*
 * Whether a shard is made of the same as when its move began. Who changes it by Hypervault is kept out from the
 * publication on; whoever else does, and whoever did before, is found here, and the move ends with `HV_MOVE_CHANGED`:
 *
 *   behind the publication   with what was read, and with the tables of the target, which an operator may have made who
 *                            has died since: the stream could never be applied to other tables
 *   when nothing arrives     with what was read: a change is the likely reason
 *   before the fence         both sides, as a whole; on the way back at once, before anything waits
 *   behind the fence         tables and sequences, because one that was made since has no fence, and its rows would stay behind;
 *                            and each side as a whole with what it was before (late-changes.ts); and its closed sequences,
 *                            which become what they were when they are opened
 */

type Sides = Readonly<Record<'source' | 'target', readonly string[]>>

/** Compares the source with what was read of it, and with the tables of the target. */
export async function assertTablesAsMade(context: MoveContext): Promise<void> {
  const { source, target } = context
  const [now, made] = await Promise.all([readDefinition(context, source), readDefinition(context, target)])
  assertSame(context, { source: now.beforeCopy, target: made.beforeCopy })
  assertSame(context, { source: statementsOf(now), target: statementsOf(await context.definition()) })
}

/** Compares both sides as a whole: the target has all of its definition. */
export async function assertSameDefinition(context: MoveSight): Promise<void> {
  const { source, target } = context
  const [now, made] = await Promise.all([readDefinition(context, source), readDefinition(context, target)])
  assertSame(context, { source: statementsOf(now), target: statementsOf(made) })
}

/** Waits for the stream from the source. If it stalls and the source was changed, that is what is thrown. */
export async function whileSame(context: MoveContext, wait: () => Promise<void>): Promise<void> {
  try {
    await wait()
  } catch (error) {
    if (isHypervaultError(error, 'HV_MOVE_STALLED')) await assertAsRead(context)
    throw error
  }
}

/** Compares the source with what was read of it. */
export async function assertAsRead(context: MoveContext): Promise<void> {
  const now = await readDefinition(context, context.source)
  assertSame(context, { source: statementsOf(now), target: statementsOf(await context.definition()) })
}

/** Looks for a table or a sequence that a move does not carry, at the server that is fenced. Throws `HV_MOVE_CHANGED`. */
export async function assertSameTables(
  session: ServerSession,
  move: MoveRecord,
  carried: readonly string[],
): Promise<void> {
  const text = [
    "select relname, case relkind when 'S' then 'sequence' else 'table' end from pg_class",
    `where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'f', 'S') and relname <> '${MARKER_TABLE}'`,
  ].join('\n')
  const rows = await session.read({ text, values: [shardSchema(move.shardId)] })
  const late = rows.filter(([name]) => !carried.includes(name ?? ''))
  if (late.length > 0)
    throw changedError(
      move,
      late.map(([name, kind]) => `only on ${session.serverId}: ${kind} ${name}`),
    )
}

/** Looks for a closed sequence that somebody has altered or set: that would be lost. Throws `HV_MOVE_CHANGED`. */
export async function assertSequencesClosed(session: ServerSession, move: MoveRecord): Promise<void> {
  const schema = `'${shardSchema(move.shardId)}'::regnamespace`
  const touched = await session.read({ text: touchedSequencesSql(schema) })
  if (touched.length === 0) return
  const { serverId } = session
  const different = touched.map(
    ([name, close]) =>
      `sequence ${name} was altered behind the fence of ${serverId}: do so where the shard lives, and if it is still closed at ${serverId}, close it again: ${close}`,
  )
  throw changedError(move, different)
}

function readDefinition({ move }: MoveSight, link: FleetLink): Promise<ShardDefinition> {
  return link.withSession((session) => readShardDefinition(session, move.shardId))
}

function statementsOf({ beforeCopy, afterCopy }: ShardDefinition): string[] {
  return [...beforeCopy, ...afterCopy]
}

function assertSame({ move, epochMs }: MoveSight, { source, target }: Sides): void {
  const withoutFloors = (statements: readonly string[]): string[] =>
    statements.map((statement) => withoutFloor(statement, move.shardId, epochMs))
  const different = findDifferences({ source: withoutFloors(source), target: withoutFloors(target) })
  if (different.length > 0) throw changedError(move, different)
}

/** A cutover that ended just before the switch may have left a floor at the target. */
function withoutFloor(statement: string, shardId: number, epochMs: number): string {
  const name = `${shardSchema(shardId)}.next_id(OUT result bigint)`
  if (!statement.startsWith(`CREATE OR REPLACE FUNCTION ${name}`)) return statement
  const [head, body = '', ...rest] = statement.split('$function$')
  return isNextIdBody(body, shardId, epochMs) ? [head, '', ...rest].join('$function$') : statement
}

/** What only one side has: statements by their first line, and of one that both have in another form the lines. */
export function findDifferences({ source, target }: Sides): string[] {
  const only = (own: readonly string[], others: readonly string[]): string[] =>
    own.filter((each) => !others.includes(each))
  const [left, right] = [only(source, target), only(target, source)]
  return [
    ...left.flatMap((each) => describe(each, right).map((what) => `only on the source: ${what}`)),
    ...right.flatMap((each) => describe(each, left).map((what) => `only on the target: ${what}`)),
  ]
}

function describe(statement: string, others: readonly string[]): string[] {
  const [first = '', ...lines] = linesOf(statement)
  const other = others.map(linesOf).find(([head]) => head === first)
  if (other === undefined) return [first]
  return lines.filter((line) => !other.includes(line)).map((line) => `${first} (… ${line} …)`)
}

function linesOf(statement: string): string[] {
  return statement.split('\n').map((line) => line.trim().replace(/,$| \($/, ''))
}

/** The error of a shard that is not made of the same any more. */
export function changedError(move: MoveRecord, different: string[]): HypervaultError<'HV_MOVE_CHANGED'> {
  const { moveId, shardId, target, switchedEpoch } = move
  const message = `shard ${shardId} was changed during move ${moveId}: ${different.join('; ')}`
  const hint =
    switchedEpoch === undefined
      ? `Run: npx pg-hypervault move abort ${moveId}, then: npx pg-hypervault move ${shardId} --to ${target}`
      : `Undo the change on server ${target}, or keep the shard there: npx pg-hypervault move complete ${moveId}`
  return new HypervaultError('HV_MOVE_CHANGED', message, { moveId, shardId, different }, { hint })
}
