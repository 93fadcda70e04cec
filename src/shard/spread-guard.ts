import type { ClientBase } from 'pg'
import { HypervaultError } from '../errors.ts'
import { asText } from '../pool/text-rows.ts'
import { formatShardRanges } from '../topology/shard-range.ts'
import { parseSpreadSource, SELECT_SPREADS } from '../topology/spread-sql.ts'

/*
 * Keeps a datastore with `connections` from spreading values over other shards than those that the shards carry. It
 * cannot be known when shardFor() is called, which asks nobody, so it is looked at where nothing has been sent yet: on
 * each new connection, before its first borrower gets it. So
 *
 *   shardFor() was called before, or `spread` was given   the connection is refused, with HV_SPREAD_DIFFERS
 *   shardFor() is called later                            it throws the same
 *   shardFor() is never called                            nothing happens: keys carry their shard, and need no spread
 *   a server is down                                      its connections fail as ever; it is asked when it is back
 *   a shard carries nothing, as one of old                it has no say
 *
 * A change of the spread is noticed by a running program as soon as it opens its next connection to a server.
 */

/** Compares the spread of a datastore with what the shards of its servers carry. */
export class SpreadGuard {
  readonly #spread: string
  #isUsed: boolean
  #problem: HypervaultError<'HV_SPREAD_DIFFERS'> | undefined

  /** @param isUsed whether values are spread from the start, also before the first `use()` */
  constructor(spread: readonly number[], { isUsed }: { readonly isUsed: boolean }) {
    this.#spread = formatShardRanges(spread)
    this.#isUsed = isUsed
  }

  /** A value gets a shard. Throws `HV_SPREAD_DIFFERS` once a server has said that it would be the wrong one. */
  use(): void {
    this.#isUsed = true
    if (this.#problem !== undefined) throw this.#problem
  }

  /** Asks a server on a new connection. Rejects with `HV_SPREAD_DIFFERS`. */
  async check(serverId: string, client: ClientBase): Promise<void> {
    // Bound: the time for opening a connection; see prepareSession().
    const { rows } = await client.query<[string]>({ text: SELECT_SPREADS, rowMode: 'array', types: asText })
    const recorded = rows.flatMap(([source]) => parseSpreadSource(source) ?? []).sort()
    if (recorded.every((spread) => spread === this.#spread)) return
    this.#problem = spreadDiffers(serverId, this.#spread, recorded)
    if (this.#isUsed) throw this.#problem
  }
}

function spreadDiffers(serverId: string, spread: string, recorded: string[]): HypervaultError<'HV_SPREAD_DIFFERS'> {
  const message = `shardFor() would spread values over the shards ${spread}, but the shards of server ${serverId} record ${recorded.join(' and ')}`
  const hint =
    recorded.length === 1
      ? `Set the option spread: '${recorded[0]}' of the Datastore or in hypervault.config.`
      : 'A change of the spread has not reached all shards: repeat it with `npx pg-hypervault spread set`.'
  return new HypervaultError('HV_SPREAD_DIFFERS', message, { spread, recorded, serverId }, { hint })
}
