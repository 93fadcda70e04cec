import { HypervaultError } from '../errors.ts'
import type { Channel, Passenger } from '../pool/channel.ts'
import { findHstoreSchema } from './statements.ts'

/**
 * The type `hstore` of one server, with its schema: each database may keep the extension in another one. Found out in
 * the background; who needs it before goes without.
 */
export class HstoreType implements Passenger {
  readonly waitsForRows = false
  #name: string | undefined
  #isAsking = false

  /** Qualified and quoted; undefined while it is not known. */
  get name(): string | undefined {
    return this.#name
  }

  /** The schema alone, quoted; undefined while it is not known. */
  get schema(): string | undefined {
    return this.#name?.slice(0, -'.hstore'.length)
  }

  /** Begins to find it out, unless that is under way or done. */
  ask(channel: Channel): void {
    if (this.#isAsking || this.#name !== undefined) return
    this.#isAsking = true
    channel.board(this)
  }

  depart(channel: Channel): void {
    void channel.run(findHstoreSchema).then((outcome) => {
      this.#isAsking = false
      if (outcome.kind === 'rows') this.learn(outcome.rows[0]?.[0])
    })
  }

  strand(): void {
    this.#isAsking = false
  }

  /** Takes over a schema that was found out elsewhere. */
  learn(schema: string | null | undefined): void {
    if (schema != null) this.#name = `${schema}.hstore`
  }
}

/** The error of a server without the extension. */
export function extensionMissing(serverId: string): HypervaultError<'HV_EXTENSION_MISSING'> {
  const details = { serverId, extension: 'hstore' }
  return new HypervaultError('HV_EXTENSION_MISSING', `server ${serverId} lacks the extension hstore`, details)
}
