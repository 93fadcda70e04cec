import type { CatalogConnection } from '../catalog/catalog.ts'
import type { SecretsOptions } from '../catalog/secret-places.ts'
import type { SecretReference } from '../catalog/secret.ts'
import type { Logger } from '../pool/logger.ts'
import type { MoveHooks } from './move/open-move.ts'

/** How a fleet is worked on. */
export interface FleetOptions {
  /** The database that `npx pg-hypervault catalog init` made. */
  readonly catalog: CatalogConnection
  /** Zero of the keys' clock; default that of the original. */
  readonly epochMs?: number | undefined
  /** Which files and variables the catalog may name as secrets, and which hosts; see {@link SecretsOptions}. */
  readonly secrets?: SecretsOptions | undefined
  readonly logger?: Logger | undefined
  /** Ends the opening. */
  readonly signal?: AbortSignal | undefined
}

/** What every call on a fleet takes. */
export interface FleetCallOptions {
  /** Ends the call with its reason. What was sent to the catalog may still be carried out. */
  readonly signal?: AbortSignal | undefined
}

/** Whether a change of the fleet is only tried. */
export interface DryRun {
  /** What would be refused is refused, and nothing is changed; default false. */
  readonly isDryRun?: boolean | undefined
}

/** How one move, or its end, is done. */
export interface MoveRunOptions extends MoveHooks {
  /** Longest pause of the writers in milliseconds; default 500. Beyond it they go on at the source. */
  readonly maxPauseMs?: number | undefined
}

/** Where a shard goes, and how. */
export interface MoveTargetOptions {
  /** The server that it goes to. */
  readonly to: string
  /**
   * Most bytes of rows in a second while they are copied, at least 65,536. The rows go through this process then, not from
   * server to server. Default: as fast as PostgreSQL copies.
   */
  readonly throttleBytesPerSecond?: number | undefined
}

/** What is told beside connections that a catalog takes over. */
export interface ImportConnectionsOptions {
  /** Where the password of each server is found that has one. */
  readonly passwords?: Readonly<Record<string, SecretReference>>
  /** The `spread` of the datastores that have used these connections; default what the shards carry, else all of them. */
  readonly spread?: string | undefined
}
