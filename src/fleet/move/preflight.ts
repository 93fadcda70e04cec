import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { findCollationProblems } from './collations.ts'
import type { MoveContext } from './move-context.ts'
import type { MoveRecord } from './move-record.ts'
import { findMissingPrivileges } from './privileges.ts'
import { judgeServer, readReadiness, type ServerReadiness } from './server-readiness.ts'

/** Clocks further apart than this make keys that are out of order for longer than anybody expects. */
export const MAX_SKEW_MS = 60_000

/**
 * Finds everything that stands in the way of a move, on both sides.
 *
 * @throws `HV_MOVE_REFUSED` with all problems at once; nothing was made
 */
export async function preflight(context: MoveContext): Promise<void> {
  assertNone(context.move, await findMoveProblems(context))
}

/**
 * Looks once more before the schema is made at the target: long after the preflight somebody else may have made one.
 *
 * @throws `HV_MOVE_REFUSED`
 */
export async function assertNoSchema({ move, target }: Pick<MoveContext, 'move' | 'target'>): Promise<void> {
  assertNone(move, await target.withSession((session) => findLeftovers(session, move.shardId)))
}

function assertNone({ moveId, shardId }: MoveRecord, problems: string[]): void {
  if (problems.length === 0) return
  const message = `shard ${shardId} cannot move: ${problems.join('; ')}`
  throw new HypervaultError('HV_MOVE_REFUSED', message, { moveId, shardId, problems })
}

/** The problems, each with its remedy. */
export async function findMoveProblems(
  context: Pick<MoveContext, 'source' | 'target' | 'definition'> & { readonly move: Pick<MoveRecord, 'shardId'> },
): Promise<string[]> {
  const { move, source, target } = context
  const [from, to] = await Promise.all([source, target].map((link) => link.withSession(readReadiness)))
  if (from === undefined || to === undefined) throw new Error('bug: a side without an answer')
  const definition = await context.definition()
  const { types, roles, owners } = definition
  const privileges = await Promise.all(
    [source, target].map((link) => link.withSession((session) => findMissingPrivileges(session, owners))),
  )
  return [
    ...judgeServer(source.serverId, from),
    ...judgeServer(target.serverId, to),
    ...privileges.flat(),
    ...judgeClocks(from, to),
    ...judgeEncodings({ [source.serverId]: from, [target.serverId]: to }),
    ...definition.refusals,
    ...(await target.withSession((session) => findMissing(session, types, roles))),
    ...(await findCollationProblems(source, target, move.shardId)),
    ...(await target.withSession((session) => findLeftovers(session, move.shardId))),
  ]
}

function judgeClocks(from: ServerReadiness, to: ServerReadiness): string[] {
  const skewMs = Math.abs(from.clockMs - to.clockMs)
  return skewMs <= MAX_SKEW_MS
    ? []
    : [`the clocks of the servers are ${Math.round(skewMs / 1000)} s apart: correct them`]
}

/** A text of the one may be none in the other, which would be found out in the middle of the copy. */
function judgeEncodings(servers: Readonly<Record<string, ServerReadiness>>): string[] {
  const encodings = new Set(Object.values(servers).map(({ encoding }) => encoding))
  const named = Object.entries(servers).map(([serverId, { encoding }]) => `${serverId} has ${encoding}`)
  return encodings.size === 1
    ? []
    : [`the databases have different encodings, ${named.join(', ')}: create one again with the encoding of the other`]
}

/** What the definition names and the target lacks. The extension hstore is made by the move. */
export async function findMissing(
  session: ServerSession,
  types: readonly string[],
  roles: readonly string[],
): Promise<string[]> {
  const rows = await session.read({
    text: [
      "select format('server %s lacks the type %s: create its extension or type there', $3::text, type)",
      "from unnest($1::text[]) as type where to_regtype(type) is null and type not like '%.hstore' and type <> 'hstore'",
      'union all',
      "select format('server %s lacks the role %I: create role %I', $3::text, role, role)",
      'from unnest($2::text[]) as role where to_regrole(quote_ident(role)) is null',
    ].join('\n'),
    values: [types, roles, session.serverId],
  })
  return rows.map(([problem]) => problem ?? '')
}

async function findLeftovers(session: ServerSession, shardId: number): Promise<string[]> {
  const name = shardSchema(shardId)
  const [row] = await session.read({ text: 'select to_regnamespace($1)', values: [name] })
  if (row?.[0] == null) return []
  return [`server ${session.serverId} has a schema ${name} already: check its contents, and drop or rename it`]
}
