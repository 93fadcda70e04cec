import { assertBoolean, assertOptions, resolveNumbers } from '../arguments/arguments.ts'
import type { FeedOptions } from '../catalog/topology-feed.ts'
import { DEFAULT_EPOCH_MS } from '../key/layout.ts'
import type { Logger } from '../pool/logger.ts'
import type { MigrationSource } from '../schema/migrations/sources/migration-source.ts'
import { resolveSource, type MigrationsOption } from '../schema/migrations/sources/resolve-source.ts'
import type { ConnectionEntry, Server } from '../topology/connection-entry.ts'
import { formatShardRanges, parseShardRanges } from '../topology/shard-range.ts'

/** What a {@link Datastore} is made of. All times are milliseconds. */
export interface DatastoreOptions {
  /** The servers, and which logical shards live on each. */
  connections: readonly ConnectionEntry[]
  /**
   * The shards that `shardFor` spreads values over, such as `'1-17'` or `'1-9,17-25'`; default all of `connections`. It
   * belongs to the data and is kept in the shards: a datastore with another list gets `HV_SPREAD_DIFFERS`.
   */
  spread?: string
  /** Most connections to each server; default 10. */
  poolMax?: number
  /** Longest wait for a connection; default 5,000. Beyond it the caller gets `HV_POOL_TIMEOUT`. */
  poolBlockTimeoutMs?: number
  /** Longest time for opening a connection; default 10,000. */
  connectTimeoutMs?: number
  /** How long an idle connection is kept open; default 60,000. */
  idleTimeoutMs?: number
  /** Age at which a connection is replaced, less up to a fifth by chance; default 1,800,000. */
  lifetimeMs?: number
  /**
   * Longest time for one statement of put and get; default 30,000. Beyond it the server is asked to cancel the statement, and
   * if it does not answer, the connection is cut.
   */
  statementTimeoutMs?: number
  /** Longest wait of `disconnect()` for connections that are lent out; default 5,000. Beyond it they are cut. */
  disconnectTimeoutMs?: number
  /** Whether concurrent gets and puts on a shard travel in one statement; default true. The meaning is the same. */
  batch?: boolean
  /** Whether statements of get and put are prepared; default true. For poolers that cannot, false. */
  prepare?: boolean
  /**
   * Most prepared statements on one connection, where a long one counts as several; default 1200. Each costs the server 10
   * to 20 kB there; what does not fit is planned each time, which costs 0.1 ms.
   */
  preparedMax?: number
  /** Zero of the keys' clock, milliseconds since 1970; default 1379365531352. It belongs to the data: never change it. */
  epochMs?: number
  /** The migrations of the tables beside `entities`: a folder, or what `fromFolder()` and its like give. */
  migrations?: MigrationsOption
  /** Hears of every statement (level `debug`) and of lost connections (`warn`); never of a value or a password. */
  logger?: Logger
}

/** What `Datastore.open()` takes: a catalog in the place of `connections`. All times are milliseconds. */
export interface FleetDatastoreOptions
  extends Omit<DatastoreOptions, 'connections' | 'spread'>, Omit<FeedOptions, 'logger'> {}

/** The options with every default filled in. */
export type ResolvedOptions = Readonly<
  Required<Omit<DatastoreOptions, 'logger' | 'connections' | 'migrations' | 'spread'>>
> & {
  readonly logger: Logger | undefined
  readonly migrations: MigrationSource | undefined
  /** Ascending; undefined if it was not given. */
  readonly spread: readonly number[] | undefined
}

/** Defaults and bounds of the numbers. */
const numbers = {
  poolMax: { default: 10, min: 1, max: 10_000 },
  poolBlockTimeoutMs: { default: 5_000, min: 1, max: 2_147_483_647 },
  connectTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
  idleTimeoutMs: { default: 60_000, min: 1, max: 2_147_483_647 },
  lifetimeMs: { default: 1_800_000, min: 1, max: 2_147_483_647 },
  statementTimeoutMs: { default: 30_000, min: 1, max: 2_147_483_647 },
  disconnectTimeoutMs: { default: 5_000, min: 0, max: 2_147_483_647 },
  preparedMax: { default: 1_200, min: 1, max: 100_000 },
  epochMs: { default: DEFAULT_EPOCH_MS, min: 0, max: 8_640_000_000_000_000 },
} as const

/** Defaults of the switches. */
const switches = { batch: true, prepare: true } as const

const common = [...Object.keys(numbers), ...Object.keys(switches), 'logger', 'migrations']

type SwitchName = keyof typeof switches

/** Checks all options but `connections` and fills in the defaults; TypeError or RangeError names the option. */
export function resolveOptions(options: unknown): ResolvedOptions {
  assertOptions('a Datastore', options, [...common, 'connections', 'spread'].sort())
  const given = options as Record<string, unknown>
  const on = Object.fromEntries(
    (Object.keys(switches) as SwitchName[]).map((name) => [name, resolveSwitch(name, given[name])]),
  ) as Record<SwitchName, boolean>
  const migrations = resolveSource(given.migrations)
  const spread = given.spread === undefined ? undefined : parseShardRanges(given.spread, 'spread')
  const logger = resolveLogger(given.logger)
  return Object.freeze({ ...resolveNumbers(numbers, given), ...on, logger, migrations, spread })
}

/** Throws a TypeError unless the value is an object of options that `Datastore.open()` takes. */
export function assertFleetOptions(options: unknown): void {
  const { spread, connections, ...others } = Object(options) as Record<string, unknown>
  if (spread !== undefined) {
    throw new TypeError('spread requires connections: a catalog records which shards values are spread over')
  }
  if (connections !== undefined) throw new TypeError('Datastore.open() takes a catalog instead of connections')
  const known = [...common, 'catalog', 'topologyFile', 'topologyPollMs', 'secrets', 'signal'].sort()
  assertOptions('Datastore.open()', typeof options === 'object' && options !== null ? others : options, known)
}

/**
 * Throws unless each shard of a spread has a server, and unless it is for `connections`: a catalog has its own.
 *
 * @throws RangeError that names the shards
 */
export function assertSpread(spread: readonly number[] | undefined, servers: readonly Server[]): void {
  if (spread === undefined) return
  const held = new Set(servers.flatMap(({ shardIds }) => shardIds))
  const missing = spread.filter((shardId) => !held.has(shardId))
  if (missing.length === 0) return
  throw new RangeError(`spread names ${formatShardRanges(missing)}, which no entry of connections includes`)
}

function resolveSwitch(name: SwitchName, value: unknown): boolean {
  if (value === undefined) return switches[name]
  assertBoolean(name, value)
  return value
}

function resolveLogger(logger: unknown): Logger | undefined {
  if (logger === undefined) return undefined
  const { debug, warn } = Object(logger) as { debug?: unknown; warn?: unknown }
  if (typeof debug === 'function' && typeof warn === 'function') return logger as Logger
  throw new TypeError('logger must have the methods debug() and warn(), like those of pino')
}
