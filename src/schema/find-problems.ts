import type { ColumnLayout, EntitiesLayout, NextIdLayout, ShardLayout } from './shard-layout.ts'

/** The columns that a shard must have, and what their type may be. */
const required: readonly { name: string; type: string }[] = [
  { name: 'id', type: 'bigint' },
  { name: 'type', type: 'smallint' },
  { name: 'body', type: 'hstore' },
]

/**
 * Says in words what makes a schema unfit to be a shard, and cannot be put right without touching rows. What is merely
 * missing is no problem. Whether `next_id()` gives the right keys is for `proveKeys` to find out; only an epoch that it
 * names and that is another one is told here.
 */
export function findProblems(layout: ShardLayout, epochMs: number): string[] {
  const { nextId, entities } = layout
  return [
    ...findStrangers(layout),
    ...(nextId === undefined ? [] : findNextIdProblems(nextId, epochMs)),
    ...(entities === undefined ? [] : findTableProblems(entities)),
  ]
}

function findStrangers({ sequence, entities, otherObjects }: ShardLayout): string[] {
  if (sequence === undefined && otherObjects.includes('table_id_seq')) return ['table_id_seq is not a sequence']
  if (entities !== undefined || otherObjects.length === 0) return []
  const [first, second, ...others] = otherObjects
  const names = [first, second].filter(Boolean).join(', ')
  return [`it has no table entities, but holds ${names}${others.length > 0 ? ` and ${others.length} more` : ''}`]
}

function findNextIdProblems({ returns, source }: NextIdLayout, epochMs: number): string[] {
  if (returns !== 'bigint') return [`next_id() returns ${returns}, not bigint`]
  const other = findOtherEpoch(source, epochMs)
  if (other === undefined) return []
  return [`next_id() counts from epoch ${other}, not ${epochMs}: replacing it would repeat keys`]
}

/** Times of today in milliseconds have 13 digits. A body that names several, the right one among them, is left to the proof. */
function findOtherEpoch(source: string, epochMs: number): string | undefined {
  const epochs: readonly string[] = source.match(/\b\d{13}\b/g) ?? []
  return epochs.includes(String(epochMs)) ? undefined : epochs[0]
}

function findTableProblems(entities: EntitiesLayout): string[] {
  if (entities.kind !== 'r') return ['entities is not an ordinary table']
  return [
    ...required.flatMap((column) => findColumnProblems(column, entities.columns)),
    ...entities.columns.flatMap(findExtraProblems),
    ...findKeyProblems(entities),
  ]
}

function findColumnProblems(wanted: { name: string; type: string }, columns: readonly ColumnLayout[]): string[] {
  const column = columns.find(({ name }) => name === wanted.name)
  if (column === undefined) return [`column ${wanted.name} is missing`]
  if (column.type !== wanted.type) return [`column ${wanted.name} is ${column.type}, not ${wanted.type}`]
  return column.isRequired ? [] : [`column ${wanted.name} accepts null`]
}

/** Further columns are welcome, unless an insert of key, kind and body would be refused for want of a value. */
function findExtraProblems({ name, type, isRequired, hasDefault }: ColumnLayout): string[] {
  if (required.some((column) => column.name === name)) return []
  if (isRequired && !hasDefault) return [`column ${name} is required and has no default`]
  if (name !== 'updated' || /^timestamp(\(\d\))? without time zone$/.test(type)) return []
  return [`column updated is ${type}, not timestamp without time zone`]
}

function findKeyProblems({ primaryKey, idDefault }: EntitiesLayout): string[] {
  const isOfId = primaryKey?.columns.length === 1 && primaryKey.columns[0] === 'id'
  return [
    ...(isOfId ? [] : ['its primary key is not (id)']),
    ...(idDefault === 'other' ? ['the default of column id is not next_id() of this schema'] : []),
  ]
}
