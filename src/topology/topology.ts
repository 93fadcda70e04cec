import { HypervaultError } from '../errors.ts'
import { MAX_SHARD_ID } from '../key/layout.ts'
import { assertShardId } from '../key/shard-id.ts'
import type { Server } from './connection-entry.ts'
import { shardIndexFor } from './shard-for.ts'

const NOWHERE = -1

/** Values whose shard is remembered: rows that belong together come together, and a hash costs as much as ten look-ups. */
const MAX_REMEMBERED = 1_024

/** Longer values are seldom seen again, and would be kept in memory. */
const MAX_REMEMBERED_LENGTH = 64

/** What a topology is made of beside its servers. */
export interface TopologyTerms {
  /** Default 1. */
  readonly epoch?: number
  /** The shards that values are spread over, ascending; default all. */
  readonly spread?: readonly number[] | undefined
  /** Called before a value gets a shard; throws if values are known to be spread over other shards. */
  readonly assertSpread?: (() => void) | undefined
}

/**
 * Frozen snapshot of the servers and of where each logical shard lives. It never changes: a change of placement is a
 * new topology with a higher epoch, swapped in one assignment. A look-up is one read of an array.
 */
export class Topology {
  readonly servers: readonly Server[]
  /** Grows with each change of placement. */
  readonly epoch: number
  /** All shards that live somewhere, ascending. */
  readonly shardIds: readonly number[]
  /** The shards that values are spread over, ascending; see {@link shardFor}. Other shards get no value. */
  readonly spread: readonly number[]
  readonly #assertSpread: (() => void) | undefined
  readonly #remembered = new Map<string | bigint, number>()
  readonly #serverIndexOf = new Int16Array(MAX_SHARD_ID + 1).fill(NOWHERE)

  /** Takes servers that share no shard, as `parseConnections` gives them. */
  constructor(servers: readonly Server[], { epoch = 1, spread, assertSpread }: TopologyTerms = {}) {
    this.servers = servers
    this.epoch = epoch
    this.#assertSpread = assertSpread
    servers.forEach(({ shardIds }, index) => shardIds.forEach((shardId) => (this.#serverIndexOf[shardId] = index)))
    this.shardIds = Object.freeze(servers.flatMap(({ shardIds }) => shardIds).sort((a, b) => a - b))
    this.spread = spread ?? this.shardIds
    Object.freeze(this)
  }

  /** The server of a shard, or undefined in a gap. */
  findServer(shardId: number): Server | undefined {
    // An array finds '5' and 5n where it finds 5.
    const index = typeof shardId === 'number' ? (this.#serverIndexOf[shardId] ?? NOWHERE) : NOWHERE
    return index === NOWHERE ? undefined : this.servers[index]
  }

  /**
   * The server of a shard.
   *
   * @throws TypeError or RangeError for an invalid shard id; `HV_SHARD_UNKNOWN` for a shard that no server holds
   */
  getServer(shardId: number): Server {
    const server = this.findServer(shardId)
    if (server !== undefined) return server
    assertShardId(shardId)
    throw new HypervaultError('HV_SHARD_UNKNOWN', `no server holds shard ${shardId}`, { shardId })
  }

  /**
   * The shard that a value belongs to; see {@link shardIndexFor} for the rule.
   *
   * @throws TypeError; `HV_SPREAD_MISSING` when there is no shard yet; `HV_SPREAD_DIFFERS` once a server has said that
   *   values are spread over other shards
   */
  shardFor(value: string | bigint): number {
    this.#assertSpread?.()
    const known = this.#remembered.get(value)
    if (known !== undefined) return known
    const shardId = this.spread[shardIndexFor(value, this.spread.length)]
    if (shardId === undefined) {
      throw new HypervaultError('HV_SPREAD_MISSING', 'there is no shard yet that a value could belong to', {})
    }
    if (typeof value === 'string' && value.length <= MAX_REMEMBERED_LENGTH) this.#remember(value, shardId)
    return shardId
  }

  #remember(value: string, shardId: number): void {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.set(value, shardId)
  }
}
