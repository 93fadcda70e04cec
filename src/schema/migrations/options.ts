import {
  assertArray,
  assertBoolean,
  assertFunction,
  assertOptions,
  assertSignal,
  describeType,
  resolveNumbers,
} from '../../arguments/arguments.ts'
import { assertShardId } from '../../key/shard-id.ts'
import type { MigrationProgress } from './progress.ts'
import type { MigrationsOption } from './sources/resolve-source.ts'

/** What bounds a plan. */
export interface MigratePlanOptions {
  /** The migrations, in the place of those of the datastore. */
  migrations?: MigrationsOption
  /** Ends the run after the shards at hand and rejects with the signal's reason; what has run stays. */
  signal?: AbortSignal
  /** Only these shards; default all. */
  shardIds?: readonly number[]
  /** The last migration to run, by its id; default the last there is. */
  to?: string
  /** Whether breaking migrations run; default false. They and all that come after them are held back otherwise. */
  breaking?: boolean
  /** The shards to begin with, default one; `[]` for none. When one of them fails, no other shard is touched. */
  canary?: readonly number[]
  /** Which share of the shards of each server is done after each wave, default `[0.01, 0.1, 1]`. */
  waves?: readonly number[]
  /**
   * Longest time for opening a connection, default 5,000. A server that is down delays the others by that, once; at the
   * end it is asked again for as long.
   */
  connectTimeoutMs?: number
}

/** How shards are migrated. All times are milliseconds. */
export interface MigrateOptions extends MigratePlanOptions {
  /** Connections that work side by side on one server; default 2. They are not those of the datastore. */
  connectionsPerServer?: number
  /** Connections that work side by side on all servers together; default 16. */
  connections?: number
  /**
   * Longest wait for a lock, default 100. All that want the same table wait behind it for that time; so it is short, and
   * the shard is tried again after a pause that grows.
   */
  lockTimeoutMs?: number
  /** How long a shard is tried again for the sake of locks before it counts as failed; default 60,000. */
  lockBudgetMs?: number
  /** Longest wait of a statement with `concurrently`, behind which nobody waits; default 60,000. */
  concurrentLockTimeoutMs?: number
  /** Longest time for one statement; default 3,600,000. */
  statementTimeoutMs?: number
  /** Shards that may fail before the run stops by itself; default 10. */
  maxFailures?: number
  /** Bytes that a standby of a server may lag behind while shards there are touched; default 1 GiB. */
  maxLagBytes?: number
  /** Sessions of a server that may wait for locks while shards there are touched; default 50. */
  maxLockWaits?: number
  /** How long a server over one of these two bounds is waited for before the run stops by itself; default 60,000. */
  paceTimeoutMs?: number
  /** Called at the start, and after each piece of work. */
  onProgress?: (event: MigrationProgress) => void
}

const numbers = {
  connectionsPerServer: { default: 2, min: 1, max: 64 },
  connections: { default: 16, min: 1, max: 4_096 },
  lockTimeoutMs: { default: 100, min: 1, max: 2_147_483_647 },
  lockBudgetMs: { default: 60_000, min: 0, max: 2_147_483_647 },
  concurrentLockTimeoutMs: { default: 60_000, min: 1, max: 2_147_483_647 },
  statementTimeoutMs: { default: 3_600_000, min: 1, max: 2_147_000_000 },
  connectTimeoutMs: { default: 5_000, min: 1, max: 2_147_483_647 },
  maxFailures: { default: 10, min: 0, max: 8_192 },
  maxLagBytes: { default: 2 ** 30, min: 0, max: Number.MAX_SAFE_INTEGER },
  maxLockWaits: { default: 50, min: 0, max: 1_000_000 },
  paceTimeoutMs: { default: 60_000, min: 0, max: 2_147_483_647 },
} as const

const others = ['migrations', 'signal', 'shardIds', 'to', 'breaking', 'canary', 'waves', 'onProgress'] as const

/** The options with every default filled in. */
export interface MigrateSettings extends Readonly<Record<keyof typeof numbers, number>> {
  readonly signal: AbortSignal | undefined
  readonly shardIds: ReadonlySet<number> | undefined
  readonly to: string | undefined
  readonly isBreakingAllowed: boolean
  readonly canary: readonly number[] | undefined
  readonly waves: readonly number[]
  readonly onProgress: (event: MigrationProgress) => void
}

const defaultWaves: readonly number[] = Object.freeze([0.01, 0.1, 1])

const ignore = (): void => undefined

/** Fills in the defaults; TypeError or RangeError names the option. `migrations` is for `resolveSource`. */
export function resolveMigrateOptions(options: MigrateOptions): MigrateSettings {
  assertOptions('migrating', options, [...Object.keys(numbers), ...others])
  const { signal, shardIds, to, breaking = false, canary, waves, onProgress = ignore } = options
  assertSignal(signal)
  assertBoolean('breaking', breaking)
  assertFunction('onProgress', onProgress)
  return Object.freeze({
    ...resolveNumbers(numbers, options),
    signal,
    shardIds: shardIds && new Set(checkShards('shardIds', shardIds)),
    to: checkText(to),
    isBreakingAllowed: breaking,
    canary: canary && checkShards('canary', canary),
    waves: checkWaves(waves),
    onProgress,
  })
}

function checkShards(name: string, shardIds: unknown): readonly number[] {
  assertArray(name, shardIds)
  for (const shardId of shardIds as unknown[]) assertShardId(shardId, name)
  return Object.freeze([...(shardIds as number[])])
}

function checkText(to: unknown): string | undefined {
  if (to === undefined || typeof to === 'string') return to
  throw new TypeError(`to must be the id of a migration, got ${describeType(to)}`)
}

function checkWaves(waves: unknown): readonly number[] {
  if (waves === undefined) return defaultWaves
  const shares: readonly unknown[] = Array.isArray(waves) ? waves : []
  const isGrowing = shares.every((share, index) => typeof share === 'number' && share > Number(shares[index - 1] ?? 0))
  if (isGrowing && shares.at(-1) === 1) return Object.freeze([...(shares as number[])])
  throw new RangeError('waves must be shares that grow up to 1, such as [0.01, 0.1, 1]')
}
