import type { Entity } from '../rows/entity.ts'

/** A shard whose entities are left out of a scan. */
export interface MissingShard {
  readonly shardId: number
  /** The server that should have it; undefined if no server of the topology has. */
  readonly serverId: string | undefined
  /** Why it could not be read. */
  readonly error: unknown
}

/** Some entities of a scan, in its order. */
export interface ScanPage {
  readonly entities: readonly Entity[]
  /**
   * Goes on after this page by `after`, in whatever process: opaque, safe in a URL, bound to the query. It remembers
   * where missing shards were lost, and the scan that goes on begins with what is missing of them.
   */
  readonly cursor: string
  /** False when nothing came after this page at the time. */
  readonly hasMore: boolean
  /** The shards that have been left out so far, ascending; with `onShardError: 'throw'` none. */
  readonly missingShards: readonly MissingShard[]
}
