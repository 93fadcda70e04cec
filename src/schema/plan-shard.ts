import { isNextIdBody, nextIdSql } from '../key/next-id-sql.ts'
import { recordSpreadSql } from '../topology/spread-sql.ts'
import { layoutMigration } from './migrations/built-in.ts'
import { createStateTableSql, insertLayoutSql } from './migrations/state/state-sql.ts'
import {
  hasUpdated,
  type EntitiesLayout,
  type NextIdLayout,
  type SequenceLayout,
  type ShardLayout,
} from './shard-layout.ts'
import {
  addUpdatedSql,
  createEntitiesSql,
  createSchemaSql,
  createSequenceSql,
  renamePrimaryKeySql,
  setIdDefaultSql,
  type ShardTarget,
  uncacheSequenceSql,
} from './shard-sql.ts'

/** What becomes of a shard: `created` had no entities before, `adopted` had, `unchanged` has all that it needs. */
export type ShardOutcome = 'created' | 'adopted' | 'unchanged'

/** What is to be done for one shard. */
export interface ShardPlan {
  readonly shardId: number
  readonly outcome: ShardOutcome
  readonly statements: readonly string[]
}

/**
 * Plans what turns what is there into a whole shard. The layout must be free of problems. What the role does not own
 * it cannot change: it is left as it is, because all of that is for speed or comfort and not needed to read and write.
 *
 * @param layout undefined when there is no such schema
 */
export function planShard(shardId: number, layout: ShardLayout | undefined, target: ShardTarget): ShardPlan {
  const statements = [
    ...(layout === undefined ? [createSchemaSql(shardId)] : []),
    ...planSequence(shardId, layout?.sequence),
    ...planNextId(shardId, layout?.nextId, target),
    ...planEntities(shardId, layout?.entities, target),
    ...planStates(shardId, layout, target),
    ...planSpread(shardId, layout, target),
  ]
  return Object.freeze({ shardId, outcome: outcomeOf(layout, statements), statements: Object.freeze(statements) })
}

/** A shard that had no entities is a new one, in which the rest is yet to run. */
function planStates(shardId: number, layout: ShardLayout | undefined, { isFollowed }: ShardTarget): string[] {
  if (layout !== undefined && (layout.hasStates || !layout.canCreate)) return []
  const isDone = layout?.entities !== undefined || !isFollowed
  return [createStateTableSql(shardId), insertLayoutSql(shardId, layoutMigration, { isDone })]
}

function planSpread(shardId: number, layout: ShardLayout | undefined, { spread }: ShardTarget): string[] {
  if (spread === undefined || layout?.spread === spread || layout?.canCreate === false) return []
  return [recordSpreadSql(shardId, spread)]
}

/**
 * Whether `next_id()` is, to the letter, the one that this epoch and shard call for, or that one with a floor: a move to a
 * server whose clock is behind has put it there, and without it keys would be issued twice.
 */
export function isCurrentNextId(shardId: number, { language, source }: NextIdLayout, epochMs: number): boolean {
  return language === 'sql' && isNextIdBody(source, shardId, epochMs)
}

function outcomeOf(layout: ShardLayout | undefined, statements: readonly string[]): ShardOutcome {
  if (statements.length === 0) return 'unchanged'
  return layout?.entities === undefined ? 'created' : 'adopted'
}

function planSequence(shardId: number, sequence: SequenceLayout | undefined): string[] {
  if (sequence === undefined) return [createSequenceSql(shardId)]
  return sequence.isOwned && sequence.cache !== 1 ? [uncacheSequenceSql(shardId)] : []
}

function planNextId(shardId: number, nextId: NextIdLayout | undefined, { epochMs }: ShardTarget): string[] {
  if (nextId === undefined) return [nextIdSql(shardId, epochMs)]
  return nextId.isOwned && !isCurrentNextId(shardId, nextId, epochMs) ? [nextIdSql(shardId, epochMs)] : []
}

function planEntities(shardId: number, entities: EntitiesLayout | undefined, target: ShardTarget): string[] {
  if (entities === undefined) return [createEntitiesSql(shardId, target)]
  const { isOwned, primaryKey, idDefault } = entities
  const isRenamed = primaryKey !== undefined && primaryKey.name !== 'entities_pk'
  return [
    ...(isOwned && !hasUpdated(entities) ? [addUpdatedSql(shardId)] : []),
    ...(isOwned && isRenamed ? [renamePrimaryKeySql(shardId, primaryKey.name)] : []),
    // Needed to write, so it is tried in any case: a role that may not is told so.
    ...(idDefault === 'none' ? [setIdDefaultSql(shardId)] : []),
  ]
}
