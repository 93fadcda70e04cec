import { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { decodeEntity } from '../rows/decode-entity.ts'
import type { Entity } from '../rows/entity.ts'
import type { CheckedQuery } from './find-query.ts'
import { findStatements, isSettled } from './find-statement.ts'

/** A find in a shard, and how its statements are run. */
export interface FindRun {
  readonly shardId: number
  readonly query: CheckedQuery
  readonly hstoreType: string | undefined
  readonly run: (statement: ShardStatement) => Promise<readonly TextRow[]>
}

/** The entities in rows of `(id, type, body, updated)`. */
export function decodeFound(rows: readonly TextRow[], epochMs: number): Entity[] {
  return rows.map((row) => decodeEntity(new Key(BigInt(row[0] ?? ''), epochMs), row))
}

/** Does a find: the quick way if that settles it, else the exact way. Gives rows `(id, type, body, updated)` in order. */
export async function runFind({ shardId, query, hstoreType, run }: FindRun): Promise<readonly TextRow[]> {
  const statements = findStatements(shardId, query, hstoreType)
  if (statements === undefined) return []
  const { quick, exact } = statements
  if (quick === undefined) return run(exact())
  const rows = await run(quick)
  return isSettled(rows, query) ? rows : run(exact())
}
