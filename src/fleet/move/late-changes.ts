import { shardSchema } from '../../key/shard-id.ts'
import { compareLines } from '../../schema/drift/drift-report.ts'
import { selectLines } from '../../schema/drift/shape/shape-sql.ts'
import { selectTrace } from '../../schema/drift/shape/shape-trace-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { quoteLiteral } from '../../sql/quote.ts'
import type { MoveContext } from './move-context.ts'
import { assertSequencesClosed, changedError } from './same-definition.ts'
import type { ComparedSides } from './snapshots.ts'

/*
 * What a shard is made of must not change between the comparison of both sides and the fence: it would be lost. So both
 * sides are read by the check for drift before that comparison. Writers wait for what is done behind the fence: there only
 * the trace of each side is read again. If it is another one than that from before the first reading, the sides are read
 * again as a whole, and that decides: a table may have been rewritten, and be what it was.
 */

const SHAPE = 'hv_shape'
const TRACE = 'hv_trace'

/** Reads the definitions of both sides. Returns a function that checks them again and throws `HV_MOVE_CHANGED` if either differs. */
export async function watchDefinition(context: MoveContext, { sessions }: ComparedSides): Promise<() => Promise<void>> {
  const { move } = context
  const prepared = prepareSql(context)
  await Promise.all(sessions.map((session) => session.execute(prepared)))
  // Before the lines: a change between the two is then seen by the trace, and not missed by both.
  const traces = await Promise.all(sessions.map(readTrace))
  const before = await Promise.all(sessions.map(readLines))
  return async () => {
    const look = (session: ServerSession): Promise<string> =>
      assertSequencesClosed(session, move).then(() => readTrace(session))
    const now = await Promise.all(sessions.map(look))
    if (now.every((trace, side) => trace === traces[side])) return
    const lines = await Promise.all(sessions.map(readLines))
    const different = sessions.flatMap(({ serverId }, side) => differences(serverId, before[side], lines[side]))
    if (different.length > 0) throw changedError(move, different)
  }
}

/** Without parameters a statement has one plan, which is made once. */
function prepareSql({ move, epochMs }: MoveContext): string[] {
  const { text, values = [] } = selectLines([shardSchema(move.shardId)], epochMs)
  const lines = text.replaceAll(/\$(\d)/g, (_, number: string) => literal(values[Number(number) - 1]))
  return [`prepare ${SHAPE} as ${lines}`, `prepare ${TRACE} as ${selectTrace(move.shardId)}`]
}

async function readTrace(session: ServerSession): Promise<string> {
  const [row] = await session.read({ text: `execute ${TRACE}` })
  return row?.[0] ?? ''
}

async function readLines(session: ServerSession): Promise<string[]> {
  const rows = await session.read({ text: `execute ${SHAPE}` })
  return rows.map(([, line]) => line ?? '')
}

function differences(serverId: string, before: readonly string[] = [], now: readonly string[] = []): string[] {
  const { missing, extra } = compareLines(before, now)
  return [
    ...missing.map((line) => `missing on ${serverId}: ${line}`),
    ...extra.map((line) => `new on ${serverId}: ${line}`),
  ]
}

function literal(value: unknown): string {
  return Array.isArray(value) ? `array[${value.map(literal).join(', ')}]` : quoteLiteral(String(value))
}
