import { describeType } from '../../arguments/arguments.ts'
import { assertCallOptions } from '../../arguments/call-options.ts'
import { withServerSession, type ServerRow, type ServerSession } from '../../server/server-session.ts'
import { ServerSites } from '../../server/server-sites.ts'
import type { Topology } from '../../topology/topology.ts'
import { checkDefinition, type IndexDefinition } from './index-definition.ts'
import { indexFailed } from './index-failure.ts'
import { resolveIndexOptions, type IndexOptions, type IndexSettings } from './index-options.ts'
import { selectIndexes } from './index-sql.ts'
import { groupIndexes, type ListedIndex } from './list-indexes.ts'
import { ServerWork, type ServerOutcome, type ShardWork } from './server-work.ts'
import { ShardIndex, type IndexOutcome } from './shard-index.ts'

/** What became of one server: its shards, ascending, by what was done in them. */
export interface ServerIndexReport {
  readonly serverId: string
  readonly created: readonly number[]
  /** Shards in which an index was left over that was not valid; it was made anew. */
  readonly repaired: readonly number[]
  readonly dropped: readonly number[]
  readonly unchanged: readonly number[]
}

/** What became of an index in all shards. */
export interface IndexReport {
  readonly name: string
  readonly servers: readonly ServerIndexReport[]
}

/** The indexes of the entities, the same in all shards of a topology. */
export class ShardIndexes {
  readonly #topology: () => Topology

  constructor(topology: () => Topology) {
    this.#topology = topology
  }

  /**
   * Creates an index in every shard while entities are read and written. Safe to repeat: shards that have it are left
   * as they are, and two runs at once share the work. See `IndexOptions` for what an abort leaves.
   *
   * @throws TypeError or RangeError; `HV_INDEX_FAILED` with the failure of each shard that has it not, after all others
   */
  async create(definition: IndexDefinition, options: IndexOptions = {}): Promise<IndexReport> {
    const settings = resolveIndexOptions(options)
    const spec = checkDefinition(definition)
    return this.#run(spec.name, settings, (session, shardId, hstoreSchema) =>
      new ShardIndex(session, shardId, spec.name, settings).create(spec, hstoreSchema),
    )
  }

  /** Drops an index, given by its name or its definition, in every shard that has it. Throws what `create` throws. */
  async drop(index: string | IndexDefinition, options: IndexOptions = {}): Promise<IndexReport> {
    const settings = resolveIndexOptions(options)
    const name = typeof index === 'string' ? checkName(index) : checkDefinition(index).name
    return this.#run(name, settings, (session, shardId) => new ShardIndex(session, shardId, name, settings).drop())
  }

  /**
   * All indexes of the entities but the primary keys, by name, also those that others made.
   *
   * @throws the failure of the first server that could not be asked
   */
  async list(options: Pick<IndexOptions, 'signal' | 'connectTimeoutMs'> = {}): Promise<ListedIndex[]> {
    assertCallOptions('indexes.list', options)
    const settings = resolveIndexOptions(options)
    await using sites = openSites(this.#topology(), settings)
    const rows = await Promise.all(sites.list.map(({ pool }) => withServerSession(pool, settings, listIndexes)))
    return groupIndexes(rows.flat(), this.#topology().shardIds)
  }

  async #run(name: string, settings: IndexSettings, work: ShardWork): Promise<IndexReport> {
    settings.signal?.throwIfAborted()
    await using sites = openSites(this.#topology(), settings)
    const outcomes = await Promise.all(sites.list.map((site) => new ServerWork(site, work, settings).run()))
    settings.signal?.throwIfAborted()
    const failures = outcomes.flatMap((outcome) => outcome.failures)
    if (failures.length > 0) throw indexFailed(name, failures, outcomes.flatMap(completedOf))
    return Object.freeze({ name, servers: outcomes.map(toReport) })
  }
}

/** Two connections more than work: one cancels what an abort leaves running, one asks whether the server still answers. */
function openSites({ servers }: Topology, settings: IndexSettings): ServerSites {
  return new ServerSites(servers, { ...settings, connectionsPerServer: settings.connectionsPerServer + 2 })
}

function completedOf({ outcomes }: ServerOutcome): number[] {
  return [...outcomes.keys()].sort((a, b) => a - b)
}

function toReport({ serverId, outcomes }: ServerOutcome): ServerIndexReport {
  const withOutcome = (wanted: IndexOutcome): number[] =>
    [...outcomes].flatMap(([shardId, outcome]) => (outcome === wanted ? [shardId] : [])).sort((a, b) => a - b)
  return Object.freeze({
    serverId,
    created: withOutcome('created'),
    repaired: withOutcome('repaired'),
    dropped: withOutcome('dropped'),
    unchanged: withOutcome('unchanged'),
  })
}

function checkName(name: unknown): string {
  if (typeof name !== 'string')
    throw new TypeError(`an index must be a name or a definition, got ${describeType(name)}`)
  if (name !== '' && Buffer.byteLength(name) <= 63 && !name.includes('\0')) return name
  throw new RangeError('the name of an index must have 1 to 63 bytes')
}

/** Names are quoted only where they must be, whatever the role has set. */
function listIndexes(session: ServerSession): Promise<ServerRow[]> {
  const opening = ['begin read only', 'set local quote_all_identifiers = off']
  return session.transaction(opening, () => session.read(selectIndexes))
}
