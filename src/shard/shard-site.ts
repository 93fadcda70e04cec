import type { ServerPool } from '../pool/server-pool.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import type { ShardFollower } from './shard-follower.ts'
import type { ShardSession } from './shard-session.ts'

/** The server that has a shard now. */
export interface ShardHome {
  readonly pool: ServerPool
  /** The schema of hstore there, quoted; undefined while it is not known, or if it has none. */
  readonly hstoreSchema: string | undefined
  /** The schema of hstore there, quoted; undefined if it has none. May ask for it. */
  findHstoreSchema(session: ShardSession): Promise<string | undefined>
  /**
   * Whether a refusal may mean that hstore is not, or not any more, in the schema that was in the search path. Then it is asked
   * for anew by whoever needs it next.
   */
  isHstoreRefuted(schema: string | undefined, error: unknown): boolean
}

/** True if hstore has moved from the schema that was in the search path when a statement was refused. May ask. */
export async function hasHstoreMoved(
  home: ShardHome,
  session: ShardSession,
  { schema, refusal }: { readonly schema: string | undefined; readonly refusal: unknown },
): Promise<boolean> {
  if (!home.isHstoreRefuted(schema, refusal)) return false
  try {
    return (await home.findHstoreSchema(session)) !== schema
  } catch {
    // The connection has gone: whoever comes next finds it out.
    return false
  }
}

/** What work in a shard that the caller wrote needs of whom it is begun by. */
export interface ShardSite<H extends ShardHome = ShardHome> {
  readonly shardId: number
  readonly log: StatementLog
  readonly follower: ShardFollower
  /** Longest time for a statement of Hypervault itself. */
  readonly statementTimeoutMs: number
  /** Longest time that a shard is followed when it moves. */
  readonly waitTimeoutMs: number
  /**
   * Where the shard lives now.
   *
   * @throws `HV_SHARD_UNKNOWN`
   */
  findHome(): H
}
