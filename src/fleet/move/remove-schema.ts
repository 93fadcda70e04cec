import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { OPENING } from '../../schema/drift/shape/shape-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { readDependents } from '../clone/dependents.ts'
import { selectRemovals } from '../clone/removal-queries.ts'

/*
 * Takes the schema of a shard away. Nothing outside it goes along: it is looked for at the beginning, so that a refusal
 * comes before anything is dropped; and every statement drops one object without `cascade`, so that PostgreSQL refuses,
 * under its own lock, what has come since.
 */

/** Longest lock of a table that is dropped: readers of it queue behind the drop. */
const LOCK_TIMEOUT_MS = 2_000

const DEPENDENTS_STILL_EXIST = '2BP01' // dependent_objects_still_exist

/**
 * Looks for what lies outside a shard and depends on something inside it.
 *
 * @throws `HV_MOVE_DEPENDENTS` that names all of it
 */
export async function assertNoDependents(session: ServerSession, shardId: number): Promise<void> {
  const dependents = await listDependents(session, shardId)
  if (dependents.length > 0) throw dependentsError(session.serverId, shardId, dependents)
}

/** The statements that take a schema away, in order. Empty when it is gone. */
export async function readRemovals(session: ServerSession, schema: string): Promise<string[]> {
  const [found] = await session.read({ text: 'select to_regnamespace($1)', values: [schema] })
  if (found?.[0] == null) return []
  return session.transaction(OPENING, async () => {
    const statements: string[] = []
    for (const text of selectRemovals) {
      const rows = await session.read({ text, values: [schema] })
      statements.push(...rows.map(([statement]) => statement ?? ''))
    }
    return statements
  })
}

/**
 * Takes a schema away, object by object, so that a lock on one table is not waited for while others are locked.
 *
 * @throws `HV_MOVE_DEPENDENTS` when something outside depends on it; `HV_SERVER_BUSY` when a table is in use
 */
export async function removeSchema(session: ServerSession, schema: string, shardId: number): Promise<void> {
  await assertNoDependents(session, shardId)
  for (const statement of await readRemovals(session, schema)) {
    try {
      await dropBounded(session, statement)
    } catch (error) {
      if (isHypervaultError(error, 'HV_STATEMENT_FAILED') && error.details.sqlstate === DEPENDENTS_STILL_EXIST) {
        await assertNoDependents(session, shardId)
      }
      throw error
    }
  }
}

/** Drops something in a transaction of its own that does not wait for a lock for long. */
export async function dropBounded(session: ServerSession, statement: string): Promise<void> {
  await session.transaction(['begin', `set local lock_timeout = ${LOCK_TIMEOUT_MS}`], () =>
    session.execute([statement]),
  )
}

async function listDependents(session: ServerSession, shardId: number): Promise<readonly string[]> {
  const schema = shardSchema(shardId)
  return (await readDependents(session, [schema])).get(schema) ?? []
}

function dependentsError(
  serverId: string,
  shardId: number,
  dependents: readonly string[],
): HypervaultError<'HV_MOVE_DEPENDENTS'> {
  const message = `shard ${shardId} cannot be dropped from server ${serverId}: ${dependents.join('; ')}`
  return new HypervaultError('HV_MOVE_DEPENDENTS', message, { serverId, shardId, dependents: [...dependents] })
}
