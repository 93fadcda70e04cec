import { assertConnectionString, connectionStringOf } from './connection-string.ts'
import { assertEntryOptions, parseEntryPoolMax } from './entry-options.ts'
import type { ClientConfig } from 'pg'
import { hideSecrets } from './hidden-secrets.ts'
import { formatShardRange, hasOverlap, parseShardRange, shardsOf, type ShardRange } from './shard-range.ts'

/**
 * One server of `connections`: whatever `pg` takes to connect (host, port, user, password or a function, database, ssl,
 * connectionString, application_name …), and the logical shards that live there. Options of a pool, such as `max`, are
 * refused.
 */
export interface ConnectionEntry extends ClientConfig {
  /** Logical shards of this server: `'1-9'` is 1 … 8, the end is not included. */
  shards: string
  /** Name of the server in errors, logs and stats; default `s1`, `s2`, … by position. */
  id?: string
  /** Most connections to this server; default the `poolMax` of the datastore. */
  poolMax?: number | undefined
}

/**
 * A server of the topology: its name, its shards, and what `pg` needs to connect. A password can be read there, but is not
 * seen when it is printed, written as JSON or copied.
 */
export interface Server {
  readonly serverId: string
  /** Ascending; those of `connections` are one run, those of a fleet any, or none. */
  readonly shardIds: readonly number[]
  readonly clientConfig: ClientConfig
  /** Most connections to it, where it has a number of its own. */
  readonly poolMax?: number | undefined
}

interface Entry extends Omit<Server, 'shardIds'> {
  readonly range: ShardRange
}

/**
 * Reads and checks all entries.
 *
 * @throws TypeError or RangeError naming the entries that are malformed, overlap, or share an id
 */
export function parseConnections(entries: unknown): readonly Server[] {
  if (!Array.isArray(entries)) throw new TypeError(`connections must be an array, got ${typeof entries}`)
  if (entries.length === 0) throw new RangeError('connections must have at least one entry, got none')
  const parsed = entries.map((entry, index) => parseEntry(entry, index))
  assertNoOverlap(parsed)
  assertUniqueIds(parsed)
  return Object.freeze(parsed.map(toServer))
}

function toServer({ range, ...entry }: Entry): Server {
  return Object.freeze({ ...entry, shardIds: Object.freeze(shardsOf(range)) })
}

function parseEntry(entry: unknown, index: number): Entry {
  if (typeof entry !== 'object' || entry === null) throw new TypeError(`connections[${index}] must be an object`)
  const where = `connections[${index}]`
  assertEntryOptions(entry, where)
  assertConnectionString(connectionStringOf(entry), where)
  const { shards, id, poolMax: given, ...clientConfig } = entry as ConnectionEntry
  const range = parseShardRange(shards, `${where}.shards`)
  const poolMax = parseEntryPoolMax(given, where)
  return { serverId: parseServerId(id, index), range, clientConfig: hideSecrets(clientConfig), poolMax }
}

function parseServerId(id: unknown, index: number): string {
  if (id === undefined) return `s${index + 1}`
  if (typeof id === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(id)) return id
  throw new RangeError(
    `connections[${index}].id must be 1 to 63 letters, digits, '_', '.', '-', got ${JSON.stringify(id)}`,
  )
}

function assertNoOverlap(entries: readonly Entry[]): void {
  const problems = entries.flatMap((a, i) =>
    entries.flatMap((b, j) => (i < j && hasOverlap(a.range, b.range) ? [describeOverlap(a, i, b, j)] : [])),
  )
  if (problems.length > 0) throw new RangeError(`a shard can live on one server only: ${problems.join('; ')}`)
}

function describeOverlap(a: Entry, i: number, b: Entry, j: number): string {
  const shared = { first: Math.max(a.range.first, b.range.first), end: Math.min(a.range.end, b.range.end) }
  const [left, right] = [formatShardRange(a.range), formatShardRange(b.range)]
  return `connections[${i}] '${left}' and connections[${j}] '${right}' share '${formatShardRange(shared)}'`
}

function assertUniqueIds(entries: readonly Entry[]): void {
  entries.forEach(({ serverId }, index) => {
    const first = entries.findIndex((entry) => entry.serverId === serverId)
    if (first !== index)
      throw new RangeError(`connections[${first}] and connections[${index}] are both named '${serverId}'`)
  })
}
