import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow } from '../../server/server-session.ts'

/** An index, and the shards that have it. */
export interface ListedIndex {
  readonly name: string
  /** What it is on, as PostgreSQL says it: `btree (((body -> 'email'::text))) WHERE (type = 1)`. */
  readonly definition: string
  readonly isUnique: boolean
  /** Sum over all shards. */
  readonly bytes: number
  /** Shards that have it, ascending. */
  readonly shards: readonly number[]
  /** Shards in which it is not valid: no find is served, and creating it again repairs it. */
  readonly invalid: readonly number[]
  /** Shards that do not have it. */
  readonly missing: readonly number[]
}

interface Found {
  readonly shardId: number
  readonly name: string
  readonly isUnique: boolean
  readonly isValid: boolean
  readonly definition: string
  readonly bytes: number
}

/**
 * Groups rows of `(schema, name, isUnique, isValid, definition, bytes)`: what has the same name and the same definition
 * is one index.
 *
 * @param shardIds all shards, ascending
 */
export function groupIndexes(rows: readonly ServerRow[], shardIds: readonly number[]): ListedIndex[] {
  const known = new Set(shardIds)
  const found = rows.map(readRow).filter(({ shardId }) => known.has(shardId))
  const groups = new Map<string, Found[]>()
  for (const index of found) {
    const id = JSON.stringify([index.name, index.definition])
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [index])
    else group.push(index)
  }
  return [...groups.values()].map((group) => describeGroup(group, shardIds)).sort(byName)
}

function readRow([schema, name, isUnique, isValid, definition, bytes]: ServerRow): Found {
  const shardId = Number(schema?.slice('shard'.length))
  return {
    shardId,
    name: name ?? '',
    isUnique: isUnique === 't',
    isValid: isValid === 't',
    definition: shorten(definition ?? '', shardId),
    bytes: Number(bytes),
  }
}

/** Without the parts that differ from shard to shard, or from server to server. */
function shorten(definition: string, shardId: number): string {
  const start = ` ON ${shardSchema(shardId)}.entities USING `
  const at = definition.indexOf(start)
  const rest = at === -1 ? definition : definition.slice(at + start.length)
  return rest.replace(/OPERATOR\((?:"(?:[^"]|"")*"|[^".()]+)\.([^()]+)\)/g, '$1')
}

function describeGroup(group: readonly Found[], shardIds: readonly number[]): ListedIndex {
  const [first] = group
  if (first === undefined) throw new Error('bug: a group of no index')
  const having = new Map(group.map((index) => [index.shardId, index]))
  const { name, definition, isUnique } = first
  return Object.freeze({
    name,
    definition,
    isUnique,
    bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
    shards: shardIds.filter((shardId) => having.get(shardId)?.isValid === true),
    invalid: shardIds.filter((shardId) => having.get(shardId)?.isValid === false),
    missing: shardIds.filter((shardId) => !having.has(shardId)),
  })
}

function byName(a: ListedIndex, b: ListedIndex): number {
  return a.name < b.name ? -1 : 1
}
