import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { MoveContext } from './move-context.ts'
import type { MoveRecord } from './move-record.ts'
import { findMissingPrivileges } from './privileges.ts'

/** What a server says of itself, as far as a move needs to know. */
export interface ServerReadiness {
  readonly version: number
  readonly walLevel: string
  readonly freeSlots: number
  readonly freeSenders: number
  readonly freeWorkers: number
  readonly isStandby: boolean
  readonly clockMs: number
}

/** Clocks further apart than this make keys that are out of order for longer than anybody expects. */
export const MAX_SKEW_MS = 60_000

/**
 * Finds everything that stands in the way of a move, on both sides.
 *
 * @throws `HV_MOVE_REFUSED` with all problems at once; nothing was made
 */
export async function preflight(context: MoveContext): Promise<void> {
  const problems = await findMoveProblems(context)
  if (problems.length === 0) return
  const { moveId, shardId } = context.move
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
    ...definition.refusals,
    ...(await target.withSession((session) => findMissing(session, types, roles))),
    ...(await target.withSession((session) => findLeftovers(session, move.shardId))),
  ]
}

/** What a server lacks for any move, each with its remedy. */
export function judgeServer(serverId: string, server: ServerReadiness): string[] {
  const problem = (isWrong: boolean, text: string): string[] => (isWrong ? [`server ${serverId} ${text}`] : [])
  return [
    ...problem(server.version < 150_000, 'is older than PostgreSQL 15: upgrade it'),
    ...problem(server.isStandby, 'is a standby: name the primary'),
    ...problem(
      server.walLevel !== 'logical',
      "has wal_level below logical: alter system set wal_level = 'logical', and restart",
    ),
    ...problem(server.freeSlots < 2, 'has no free replication slots: raise max_replication_slots, and restart'),
    ...problem(server.freeSenders < 2, 'has no free WAL senders: raise max_wal_senders, and restart'),
    ...problem(
      server.freeWorkers < 2,
      'has too few workers: raise max_logical_replication_workers and max_worker_processes, and restart',
    ),
  ]
}

function judgeClocks(from: ServerReadiness, to: ServerReadiness): string[] {
  const skewMs = Math.abs(from.clockMs - to.clockMs)
  return skewMs <= MAX_SKEW_MS
    ? []
    : [`the clocks of the servers are ${Math.round(skewMs / 1000)} s apart: set them right`]
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
  return [`server ${session.serverId} has a schema ${name} already: look what is in it, and drop or rename it`]
}

/** Asks a server. */
export async function readReadiness(session: ServerSession): Promise<ServerReadiness> {
  const [row] = await session.read({
    text: [
      'select',
      "  current_setting('server_version_num'), current_setting('wal_level'),",
      "  current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots),",
      "  current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication),",
      "  current_setting('max_logical_replication_workers')::int - (select count(*) from pg_stat_subscription where pid is not null),",
      '  pg_is_in_recovery(), floor(extract(epoch from clock_timestamp()) * 1000)',
    ].join('\n'),
  })
  const [version, walLevel, slots, senders, workers, standby, clock] = row ?? []
  return {
    version: Number(version),
    walLevel: walLevel ?? '',
    freeSlots: Number(slots),
    freeSenders: Number(senders),
    freeWorkers: Number(workers),
    isStandby: standby === 't',
    clockMs: Number(clock),
  }
}
