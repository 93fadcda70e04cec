import { Channel, type ChannelSettings } from './channel.ts'
import type { ServerPool } from './server-pool.ts'

/** Load below which a channel is free to take the work of another one. */
const FREE_LOAD = 4

/** How work is spread over the channels of a server. */
export interface SpreadSettings extends ChannelSettings {
  /** Most channels; the pool keeps a place or two for others if it has them. */
  readonly channels: number
  /**
   * Load of a channel from which its work goes to a free one. Lower spreads work sooner: more backends work side by
   * side, but each comes to know more schemas.
   */
  readonly spillLoad: number
}

/**
 * The channels of one server. Work with the same home leans on the same channel, so that a backend keeps the relations
 * and plans of its part of the schemas only; when that channel has much to do, or waits for a lock, on the next one.
 */
export class ServerChannels {
  readonly #channels: readonly Channel[]
  readonly #spillLoad: number

  constructor(pool: ServerPool, settings: SpreadSettings) {
    this.#channels = Array.from({ length: settings.channels }, () => new Channel(pool, settings))
    this.#spillLoad = settings.spillLoad
  }

  /**
   * The channel to board for work of this home, 0 …: its own, unless that has much to do; then a free one, or else one
   * that has less than half as much. Work that waits for rows has its homes from the other end, and other work keeps
   * away from channels that carry such: it could be held up for as long as somebody else's transaction lasts.
   */
  pick(home: number, waitsForRows: boolean): Channel {
    const count = this.#channels.length
    const at = (step: number): Channel =>
      this.#at(waitsForRows ? count - 1 - ((home + step) % count) : (home + step) % count)
    const isOpen = (channel: Channel): boolean => !channel.isStalled && (waitsForRows || !channel.mayBeHeldUp)
    let best = at(0)
    if (best.load < this.#spillLoad && isOpen(best)) return best
    for (let step = 1; step < count; step += 1) {
      const next = at(step)
      if (!isOpen(next)) continue
      if (next.load < FREE_LOAD) return next
      if (next.load * 2 < best.load || !isOpen(best)) best = next
    }
    return best
  }

  #at(index: number): Channel {
    const channel = this.#channels[index]
    if (channel === undefined) throw new Error(`bug: no channel ${index}`)
    return channel
  }
}
