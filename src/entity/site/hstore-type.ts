import { HypervaultError } from '../../errors.ts'
import type { Channel, Passenger } from '../../pool/channel.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { findHstoreSchema } from '../rows/statements.ts'

/** SQLSTATEs by which a server refuses a statement that names what is not there, or not there any more. */
const gone: ReadonlySet<string> = new Set([
  '3F000', // invalid_schema_name
  '42704', // undefined_object, a type for one
  '42883', // undefined_function
])

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

  /** The name, found out by `read` if it is not known; undefined where the server lacks the extension. */
  async find(read: (statement: ShardStatement) => Promise<readonly TextRow[]>): Promise<string | undefined> {
    if (this.#name === undefined) this.learn((await read(findHstoreSchema))[0]?.[0])
    return this.#name
  }

  /** Takes over a schema that was found out elsewhere. */
  learn(schema: string | null | undefined): void {
    if (schema != null) this.#name = typeIn(schema)
  }

  /**
   * Whether the refusal of a statement with this name says that the extension has moved to another schema: then the name is
   * forgotten, and the statement worth trying anew, once. Nothing of it was executed.
   */
  isRefuted(used: string | undefined, error: unknown): boolean {
    if (used === undefined || !isGone(error)) return false
    if (this.#name === used) this.#name = undefined
    return true
  }
}

/** The type in this schema, which is quoted. */
export function typeIn(schema: string): string {
  return `${schema}.hstore`
}

/** True for an error in the text that was sent, false for one inside a trigger or a function. */
function isGone(error: unknown): boolean {
  const refusal = error instanceof HypervaultError ? error.cause : error
  return gone.has(sqlstateOf(refusal) ?? '') && (refusal as { where?: unknown }).where === undefined
}

/** The error of a server without the extension. */
export function extensionMissing(serverId: string): HypervaultError<'HV_EXTENSION_MISSING'> {
  const details = { serverId, extension: 'hstore' }
  return new HypervaultError('HV_EXTENSION_MISSING', `server ${serverId} lacks the extension hstore`, details)
}

/** What a batch has sent of the name of hstore, and what is disproved. */
export interface HstoreNames {
  readonly namesHstore?: string | undefined
  refutedHstore?: string | undefined
}

/** Like `isRefuted`, for a batch; the same name is not disproved twice, because then something else is wrong. */
export function isHstoreMoved(hstore: HstoreType, batch: HstoreNames, error: unknown): boolean {
  const used = batch.namesHstore
  if (batch.refutedHstore === used || !hstore.isRefuted(used, error)) return false
  batch.refutedHstore = used
  return true
}
