import { escapeLiteral } from 'pg'
import { shardSchema } from '../../key/shard-id.ts'
import { compareLines } from '../../schema/drift/drift-report.ts'
import { selectLines } from '../../schema/drift/shape/shape-sql.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { MoveContext } from './move-context.ts'
import { changedError } from './same-definition.ts'
import type { ComparedSides } from './snapshots.ts'

/*
 * What a shard is made of must not change between the comparison of both sides and the fence: it would be lost. So both
 * sides are read by the check for drift before that comparison, and behind the fence once more. Writers wait for the
 * second reading: it is planned with the first one, and runs while the marker is on its way.
 */

const STATEMENT = 'hv_shape'

/** Reads what both sides are made of. What it gives reads them again, and throws `HV_MOVE_CHANGED` for what is not the same. */
export async function watchDefinition(context: MoveContext, { sessions }: ComparedSides): Promise<() => Promise<void>> {
  const { move, epochMs } = context
  const { text, values = [] } = selectLines([shardSchema(move.shardId)], epochMs)
  // Without parameters it has one plan, which is made once.
  const query = text.replaceAll(/\$(\d)/g, (_, number: string) => literal(values[Number(number) - 1]))
  await Promise.all(sessions.map((session) => session.execute([`prepare ${STATEMENT} as ${query}`])))
  const before = await Promise.all(sessions.map(readLines))
  return async () => {
    const now = await Promise.all(sessions.map(readLines))
    const different = sessions.flatMap(({ serverId }, side) => differences(serverId, before[side], now[side]))
    if (different.length > 0) throw changedError(move, different)
  }
}

async function readLines(session: ServerSession): Promise<string[]> {
  const rows = await session.read({ text: `execute ${STATEMENT}` })
  return rows.map(([, line]) => line ?? '')
}

function differences(serverId: string, before: readonly string[] = [], now: readonly string[] = []): string[] {
  const { missing, extra } = compareLines(before, now)
  return [
    ...missing.map((line) => `gone at ${serverId}: ${line}`),
    ...extra.map((line) => `new at ${serverId}: ${line}`),
  ]
}

function literal(value: unknown): string {
  return Array.isArray(value) ? `array[${value.map(literal).join(', ')}]` : escapeLiteral(String(value))
}
