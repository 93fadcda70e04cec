import { assertFunction, assertOptions, assertSignal, resolveNumbers } from '../arguments/arguments.ts'
import { DEFAULT_EPOCH_MS } from '../key/layout.ts'
import { formatShardRanges, parseShardRanges } from '../topology/shard-range.ts'
import type { MigrationProgress } from './migrations/progress.ts'
import type { MigrationSource } from './migrations/sources/migration-source.ts'
import { resolveSource, type MigrationsOption } from './migrations/sources/resolve-source.ts'

/** How far one server has come. */
export interface ProvisionProgress {
  readonly serverId: string
  /** Shards that are whole. */
  readonly done: number
  /** Shards of this server. */
  readonly total: number
}

/** How shards are made. All times are milliseconds. */
export interface ProvisionOptions {
  /** Zero of the keys' clock, milliseconds since 1970; default 1379365531352. It belongs to the data: never change it. */
  epochMs?: number
  /** Stops before the next transaction and rejects with the signal's reason; what was committed stays. */
  signal?: AbortSignal
  /** New shards per transaction, default 64. Too many exhaust the server's lock table, too few wait for the disk. */
  shardsPerTransaction?: number
  /** Connections that make shards side by side on one server; default 1: on a server near by, more gained nothing. */
  connectionsPerServer?: number
  /** Longest wait for a lock, default 5,000. While one on `entities` is waited for, its readers wait too. */
  lockTimeoutMs?: number
  /** Longest time for opening a connection; default 10,000. */
  connectTimeoutMs?: number
  /** Longest time for one round trip, such as the statements of one transaction; default 60,000. */
  statementTimeoutMs?: number
  /**
   * The shards that `shardFor` spreads values over, such as `1-17`, kept in the shards. Default: what they carry already,
   * else the shards that are there, else all of the connections.
   */
  spread?: string
  /** Migrations that new shards begin with, all of them; default none. Shards in use are left to `migrate up`. */
  migrations?: MigrationsOption
  /** Called while new shards are migrated. */
  onMigrate?: (event: MigrationProgress) => void
  /** Called for each server once it is inspected, and after each transaction. */
  onProgress?: (event: ProvisionProgress) => void
}

const others = ['signal', 'spread', 'migrations', 'onMigrate', 'onProgress'] as const

/** The options with every default filled in. */
export type ProvisionSettings = Readonly<Required<Omit<ProvisionOptions, (typeof others)[number]>>> & {
  readonly signal: AbortSignal | undefined
  /** In the form that shards carry; undefined where that is not known yet, or left as it is. */
  readonly spread: string | undefined
  readonly source: MigrationSource | undefined
  /** Whether migrations follow in new shards. */
  readonly isFollowed: boolean
  readonly onMigrate: (event: MigrationProgress) => void
  readonly onProgress: (event: ProvisionProgress) => void
}

const numbers = {
  epochMs: { default: DEFAULT_EPOCH_MS, min: 0, max: 8_640_000_000_000_000 },
  shardsPerTransaction: { default: 64, min: 1, max: 8192 },
  connectionsPerServer: { default: 1, min: 1, max: 64 },
  lockTimeoutMs: { default: 5_000, min: 1, max: 2_147_483_647 },
  connectTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
  statementTimeoutMs: { default: 60_000, min: 1, max: 2_147_483_647 },
} as const

const ignore = (): void => undefined

/** Fills in the defaults; TypeError or RangeError names the option. */
export function resolveProvisionOptions(options: ProvisionOptions): ProvisionSettings {
  assertOptions('provisioning', options, [...Object.keys(numbers), ...others])
  const { signal, onProgress = ignore, onMigrate = ignore } = options
  assertSignal(signal)
  assertFunction('onProgress', onProgress)
  assertFunction('onMigrate', onMigrate)
  const source = resolveSource(options.migrations)
  const spread =
    options.spread === undefined ? undefined : formatShardRanges(parseShardRanges(options.spread, 'spread'))
  return Object.freeze({
    ...resolveNumbers(numbers, options),
    signal,
    spread,
    onProgress,
    onMigrate,
    source,
    isFollowed: false,
  })
}
