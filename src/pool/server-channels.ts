import { Channel, type ChannelSettings } from './channel.ts'
import type { ServerPool } from './server-pool.ts'

/**
 * Load of a channel beyond which work goes to another one. Lower spreads work sooner: more backends work side by side,
 * but each comes to know more schemas, and batches get smaller.
 */
const SPILL_LOAD = 4

/**
 * The channels of one server. Work with the same home leans on the same channel, so that a backend keeps the relations
 * and plans of its part of the schemas only; when that channel has much to do, or waits for a lock, on the next one.
 */
export class ServerChannels {
  readonly #channels: readonly Channel[]

  /** @param max most channels; the pool keeps a place or two for others if it has them */
  constructor(pool: ServerPool, max: number, settings: ChannelSettings) {
    this.#channels = Array.from({ length: max }, () => new Channel(pool, settings))
  }

  /** The channel to board for work of this home, 0 … */
  pick(home: number): Channel {
    const count = this.#channels.length
    let best = this.#at(home % count)
    if (isFree(best)) return best
    for (let step = 1; step < count; step += 1) {
      const next = this.#at((home + step) % count)
      if (isFree(next)) return next
      if (next.load < best.load || best.isStalled) best = next
    }
    return best
  }

  #at(index: number): Channel {
    const channel = this.#channels[index]
    if (channel === undefined) throw new Error(`bug: no channel ${index}`)
    return channel
  }
}

function isFree(channel: Channel): boolean {
  return channel.load < SPILL_LOAD && !channel.isStalled
}
