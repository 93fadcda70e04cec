import type { ServerState } from '../../catalog/fleet-record.ts'

/*
 * Decides which shards move. Two rules, in this order:
 *
 *   1. What lives on a server that is being drained goes, the largest first, each to the active server with the least.
 *   2. While two active servers are further apart than the threshold, the shard that comes nearest to closing the gap
 *      goes from the fuller to the emptier one, if that leaves the two nearer to each other.
 *
 * Each move of rule 2 makes the sum of the squares of the loads smaller, so it comes to an end, and what is planned on
 * the result is nothing. A shard that is being moved already stays where it is.
 */

/** A server, as far as a plan needs to know. */
export interface LoadedServer {
  readonly serverId: string
  readonly state: ServerState
}

/** A shard, where it lives, and how much it weighs: bytes, writes a second, or 1. */
export interface WeighedShard {
  readonly shardId: number
  readonly serverId: string
  readonly amount: number
  /** True while a move of it is under way. */
  readonly isMoving: boolean
}

/** A shard that is to move. */
export interface PlannedMove {
  readonly shardId: number
  readonly from: string
  readonly to: string
  readonly amount: number
}

/** How much a server has, and would have. */
export interface ServerLoad {
  readonly serverId: string
  readonly state: ServerState
  readonly before: number
  readonly after: number
  readonly shardsBefore: number
  readonly shardsAfter: number
}

/** Which shards move, and what comes of it. */
export interface RebalanceDecision {
  readonly moves: readonly PlannedMove[]
  readonly loads: readonly ServerLoad[]
}

/**
 * Decides which shards move.
 *
 * @param threshold difference of two servers that is left alone, as a part of what an active server has on average
 */
export function decideRebalance(
  servers: readonly LoadedServer[],
  shards: readonly WeighedShard[],
  threshold: number,
): RebalanceDecision {
  const placing = new Placing(servers, shards)
  placing.drain()
  while (placing.improve(threshold));
  return placing.decision()
}

/** Where the shards would live; starts from where they do. */
class Placing {
  readonly #servers: readonly LoadedServer[]
  readonly #active: readonly string[]
  readonly #shards: readonly WeighedShard[]
  readonly #homes: Map<number, string>
  readonly #loads: Map<string, number>

  constructor(servers: readonly LoadedServer[], shards: readonly WeighedShard[]) {
    this.#servers = servers
    this.#active = servers.filter(({ state }) => state === 'active').map(({ serverId }) => serverId)
    // In a fixed order, so that the same fleet gives the same plan.
    this.#shards = [...shards].sort((a, b) => b.amount - a.amount || a.shardId - b.shardId)
    this.#homes = new Map(shards.map(({ shardId, serverId }) => [shardId, serverId]))
    this.#loads = new Map(servers.map(({ serverId }) => [serverId, 0]))
    for (const { serverId, amount } of shards) this.#add(serverId, amount)
  }

  drain(): void {
    const draining = new Set(this.#servers.filter(({ state }) => state === 'draining').map(({ serverId }) => serverId))
    for (const shard of this.#shards) {
      const [emptiest] = this.#byLoad()
      if (emptiest !== undefined && !shard.isMoving && draining.has(this.#homeOf(shard))) this.#place(shard, emptiest)
    }
  }

  /** One move of the second rule; false when there is none. */
  improve(threshold: number): boolean {
    const ascending = this.#byLoad()
    const total = ascending.reduce((sum, serverId) => sum + this.#loadOf(serverId), 0)
    const tolerated = (threshold * total) / Math.max(1, ascending.length)
    for (const from of [...ascending].reverse()) {
      for (const to of ascending) {
        const gap = this.#loadOf(from) - this.#loadOf(to)
        if (gap <= tolerated) break
        const best = this.#findBest(from, gap)
        if (best === undefined) continue
        this.#place(best, to)
        return true
      }
    }
    return false
  }

  decision(): RebalanceDecision {
    const moves = this.#shards
      .filter((shard) => this.#homeOf(shard) !== shard.serverId)
      .map((shard) => ({ shardId: shard.shardId, from: shard.serverId, to: this.#homeOf(shard), amount: shard.amount }))
    return { moves, loads: this.#servers.map((server) => this.#describe(server)) }
  }

  /** The shard that comes nearest to closing a gap, of those that make it smaller. */
  #findBest(from: string, gap: number): WeighedShard | undefined {
    let best: WeighedShard | undefined
    for (const shard of this.#shards) {
      if (shard.isMoving || shard.amount <= 0 || shard.amount >= gap || this.#homeOf(shard) !== from) continue
      if (best === undefined || Math.abs(gap / 2 - shard.amount) < Math.abs(gap / 2 - best.amount)) best = shard
    }
    return best
  }

  #describe({ serverId, state }: LoadedServer): ServerLoad {
    const before = this.#shards.filter((shard) => shard.serverId === serverId)
    const after = this.#shards.filter((shard) => this.#homeOf(shard) === serverId)
    const sum = (own: readonly WeighedShard[]): number => own.reduce((total, { amount }) => total + amount, 0)
    const [shardsBefore, shardsAfter] = [before.length, after.length]
    return { serverId, state, before: sum(before), after: sum(after), shardsBefore, shardsAfter }
  }

  /** The active servers, the emptiest first. */
  #byLoad(): string[] {
    return [...this.#active].sort((a, b) => this.#loadOf(a) - this.#loadOf(b) || (a < b ? -1 : 1))
  }

  #place(shard: WeighedShard, to: string): void {
    this.#add(this.#homeOf(shard), -shard.amount)
    this.#add(to, shard.amount)
    this.#homes.set(shard.shardId, to)
  }

  #add(serverId: string, amount: number): void {
    this.#loads.set(serverId, this.#loadOf(serverId) + amount)
  }

  #loadOf(serverId: string): number {
    return this.#loads.get(serverId) ?? 0
  }

  #homeOf({ shardId, serverId }: WeighedShard): string {
    return this.#homes.get(shardId) ?? serverId
  }
}
