import { shardSchema } from '../../key/shard-id.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { encodeInt2Array, encodeInt8Array, encodeTextArray } from '../rows/binary-arrays.ts'
import { IDS_GIVEN } from '../rows/statements.ts'
import type { EncodedChange } from './change.ts'
import { flag, isConditional, type EncodedCondition } from './condition.ts'

/*
 * The statements that change and delete entities. One that has a condition, or is for several entities, goes like this:
 *
 *   input     what is asked for; each id once
 *   target    the entities that are there, locked in the order of their ids, so that two batches never wait for each
 *             other in a circle. A row that somebody else has changed meanwhile is read again when its lock is had, in
 *             the isolation `read committed`; in the others the statement fails with 40001.
 *   done      the change. It decides and computes by the columns of `target`, which nobody can change any more.
 *
 * The outcome of each is one row (id, type, body, updated, is done, updated by this): what is missing has none.
 *
 * A table of the original's second script has no column `updated`. The texts for it name `updated` without saying of
 * which relation: then a table that has the column after all makes the name ambiguous, and the server refuses the
 * statement before it does anything. See UpdatedColumns.
 *
 * Functions of hstore are named with their schema in the place of operators: nothing depends on a search path.
 */

/** What is known of the table of a shard. */
export interface EntityLayout {
  /** The type `hstore` with its schema, quoted. */
  readonly hstoreType: string
  /** Whether the table has the column `updated`. */
  readonly hasUpdated: boolean
}

/** One entity to change. */
export interface KeyedChange {
  readonly id: bigint
  readonly change: EncodedChange
}

/** One entity to delete. */
export interface KeyedCondition {
  readonly id: bigint
  readonly condition: EncodedCondition
}

/** The parameters that conditions are given in, and what their columns are called. */
const CONDITION_TYPES = '$1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::smallint[]'
const CONDITION_NAMES = 'id, flags, since, expected, wanted'

/** The statement for changes, each id at most once; `changeOutcome` reads its rows. */
export function changeEntities(shardId: number, items: readonly KeyedChange[], layout: EntityLayout): ShardStatement {
  const [only] = items
  if (only === undefined) throw new Error('bug: a change of nothing')
  const isPlain = items.length === 1 && !isConditional(only.change)
  return isPlain ? changeOne(shardId, only, layout) : changeSome(shardId, items, layout)
}

/** The statement for deletes, each id at most once; `deleteOutcome` reads its rows. */
export function deleteEntities(
  shardId: number,
  items: readonly KeyedCondition[],
  layout: EntityLayout,
): ShardStatement {
  if (items.some(({ condition }) => isConditional(condition))) return deleteIf(shardId, items, layout)
  return deletePlain(
    shardId,
    items.map(({ id }) => id),
  )
}

/** The statement for deletes without a condition, which needs to know nothing of the table. */
export function deletePlain(shardId: number, ids: readonly bigint[]): ShardStatement {
  return ids.length === 1 ? deleteOne(shardId, String(ids[0])) : deleteSome(shardId, ids)
}

/** Changes one entity, whatever it is now; gives a row (id, …, is done, updated by this) if it is there. */
function changeOne(shardId: number, { id, change }: KeyedChange, layout: EntityLayout): ShardStatement {
  const { flags, kind, unset, set } = change
  const given = { flags: '$2::smallint', kind: '$3::smallint', unset: '$4::text', set: '$5::text' }
  const text = [
    `update ${shardSchema(shardId)}.entities as stored`,
    `set ${assignments({ type: 'type', body: 'body', updated: 'stored.updated', ...given }, layout)}`,
    ...(layout.hasUpdated ? [] : ['from (select null::timestamp as updated) as absent']),
    'where id = $1::bigint',
    'returning id, null, null, null, true, updated',
  ].join('\n')
  return { text, values: [String(id), String(flags), String(kind), unset, set], isWrite: true }
}

/** Changes entities, each id at most once; gives rows of outcomes. */
function changeSome(shardId: number, items: readonly KeyedChange[], layout: EntityLayout): ShardStatement {
  const text = [
    'with input as materialized (',
    '  select *',
    `  from unnest(${CONDITION_TYPES}, $6::smallint[], $7::text[], $8::text[])`,
    `    as given (${CONDITION_NAMES}, kind, gone, added)`,
    `), ${targets(shardId, layout)}, done as (`,
    `  update ${shardSchema(shardId)}.entities as stored`,
    `  set ${assignments(columnsOfTarget, layout)}`,
    `  from target where stored.id = target.id and ${fits(layout)}`,
    `  returning stored.id, ${layout.hasUpdated ? 'stored.updated' : 'null::timestamp as updated'}`,
    ')',
    outcomes('done.updated'),
  ].join('\n')
  const changes = items.map(({ change }) => change)
  const values = [
    ...conditionValues(items.map(({ id, change }) => ({ id, condition: change }))),
    encodeInt2Array(changes.map(({ kind }) => kind)),
    encodeTextArray(changes.map(({ unset }) => unset)),
    encodeTextArray(changes.map(({ set }) => set)),
  ]
  return { text, values, isWrite: true }
}

/** Deletes entities, each id at most once, where the condition holds; gives rows of outcomes. */
export function deleteIf(shardId: number, items: readonly KeyedCondition[], layout: EntityLayout): ShardStatement {
  const text = [
    'with input as materialized (',
    `  select * from unnest(${CONDITION_TYPES}) as given (${CONDITION_NAMES})`,
    `), ${targets(shardId, layout)}, done as (`,
    `  delete from ${shardSchema(shardId)}.entities as stored`,
    `  using target where stored.id = target.id and ${fits(layout)}`,
    '  returning stored.id',
    ')',
    outcomes('null'),
  ].join('\n')
  return { text, values: conditionValues(items), isWrite: true }
}

/** Deletes one entity; gives a row (id, …, is done) if it was there. */
function deleteOne(shardId: number, id: string): ShardStatement {
  const text = `delete from ${shardSchema(shardId)}.entities where id = $1 returning id, null, null, null, true`
  return { text, values: [id], isWrite: true }
}

/** Deletes entities; gives a row (id, …, is done) for each that was there. */
function deleteSome(shardId: number, ids: readonly bigint[]): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with target as materialized (',
    `  select id from ${schema}.entities where ${IDS_GIVEN} order by id for update`,
    ')',
    `delete from ${schema}.entities as stored using target where stored.id = target.id`,
    'returning stored.id, null, null, null, true',
  ].join('\n')
  return { text, values: [encodeInt8Array(ids)], isWrite: true }
}

/** Finds which of these entities are there; gives their ids. */
export function findIds(shardId: number, ids: readonly bigint[]): ShardStatement {
  const text = `select id from ${shardSchema(shardId)}.entities where ${IDS_GIVEN}`
  return { text, values: [encodeInt8Array(ids)], isWrite: false }
}

/** Tells whether the table of a shard has the column `updated`; no row if it has not. */
export function findUpdatedColumn(shardId: number): ShardStatement {
  const text = [
    'select from pg_attribute',
    "where attrelid = $1::text::regclass and attname = 'updated' and not attisdropped",
  ].join('\n')
  return { text, values: [`${shardSchema(shardId)}.entities`], isWrite: false }
}

function targets(shardId: number, { hasUpdated }: EntityLayout): string {
  const absent = hasUpdated ? '' : '(select null::timestamp as updated) as absent cross join '
  return [
    'target as materialized (',
    `  select stored.type, stored.body, ${hasUpdated ? 'stored.updated' : 'updated'}, input.*`,
    `  from ${absent}input join ${shardSchema(shardId)}.entities as stored on stored.id = input.id`,
    '  order by stored.id for update of stored',
    ')',
  ].join('\n')
}

/** Whether the conditions hold. Without the column there is no time to compare with, so that one never holds. */
function fits({ hstoreType, hasUpdated }: EntityLayout): string {
  const isThatTime =
    "date_trunc('milliseconds', target.updated) is not distinct from nullif(target.since, '')::timestamp"
  const isThatBody = `${schemaOf(hstoreType)}.hstore_eq(target.body, target.expected::${hstoreType})`
  return [
    `(target.flags & ${flag.ifUpdatedAt} = 0${hasUpdated ? ` or ${isThatTime}` : ''})`,
    `(target.flags & ${flag.ifBody} = 0 or ${isThatBody})`,
    `(target.flags & ${flag.ifKind} = 0 or target.type = target.wanted)`,
  ].join(' and ')
}

function outcomes(updatedByThis: string): string {
  const current = ['type', 'body', 'updated'].map((name) => `case when done.id is null then target.${name} end`)
  return [
    `select target.id, ${current.join(', ')}, done.id is not null, ${updatedByThis}`,
    'from target left join done on done.id = target.id',
  ].join('\n')
}

/** Expressions for what is there and for what is asked for. */
interface ChangeColumns {
  readonly type: string
  readonly body: string
  readonly updated: string
  readonly flags: string
  readonly kind: string
  readonly unset: string
  readonly set: string
}

const columnsOfTarget: ChangeColumns = {
  type: 'target.type',
  body: 'target.body',
  updated: 'target.updated',
  flags: 'target.flags',
  kind: 'target.kind',
  unset: 'target.gone',
  set: 'target.added',
}

/**
 * `updated` goes up with every change, by a millisecond at least, also when the clock stands still or steps back: who
 * compares it as a Date never overlooks a change.
 */
function assignments(columns: ChangeColumns, { hstoreType, hasUpdated }: EntityLayout): string {
  const { type, body, updated, flags, kind, unset, set } = columns
  const schema = schemaOf(hstoreType)
  const kept = `${schema}.delete(${body}, ${schema}.akeys(${unset}::${hstoreType}))`
  const base = `case when ${flags} & ${flag.keepsBody} <> 0 then ${kept} else ''::${hstoreType} end`
  const parts = [
    `type = case when ${flags} & ${flag.setsKind} <> 0 then ${kind} else ${type} end`,
    `body = ${schema}.hs_concat(${base}, ${set}::${hstoreType})`,
  ]
  return (hasUpdated ? [...parts, `updated = ${nextUpdated(updated)}`] : parts).join(',\n    ')
}

function nextUpdated(updated: string): string {
  const now = "date_trunc('milliseconds', clock_timestamp() at time zone 'UTC')"
  return `greatest(${now}, date_trunc('milliseconds', ${updated}) + interval '1 millisecond')`
}

function conditionValues(items: readonly KeyedCondition[]): Buffer[] {
  const conditions = items.map(({ condition }) => condition)
  return [
    encodeInt8Array(items.map(({ id }) => id)),
    encodeInt2Array(conditions.map(({ flags }) => flags)),
    encodeTextArray(conditions.map(({ since }) => since)),
    encodeTextArray(conditions.map(({ expected }) => expected)),
    encodeInt2Array(conditions.map(({ wanted }) => wanted)),
  ]
}

function schemaOf(hstoreType: string): string {
  return hstoreType.slice(0, hstoreType.lastIndexOf('.'))
}
