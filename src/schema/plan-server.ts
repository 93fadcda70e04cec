import type { ServerInspection } from './inspect.ts'
import { planShard, type ShardPlan } from './plan-shard.ts'
import type { ProvisionSettings } from './provision-options.ts'
import { lockShardsSql } from './shard-lock.ts'
import { createExtensionSql } from './shard-sql.ts'

/** What is to be done on one server. */
export interface ServerPlan {
  readonly serverId: string
  readonly version: string
  readonly shards: readonly ShardPlan[]
  /** The SQL, each text one whole transaction; empty when there is nothing to do. */
  readonly transactions: readonly string[]
}

/** The lock of the extension, among those of the shards. */
const EXTENSION_LOCK = -1

/** Schema that a missing hstore is created in. */
const DEFAULT_HSTORE_SCHEMA = 'public'

/** Plans what these shards need on a server that holds what the inspection says. */
export function planServer(
  inspection: ServerInspection,
  shardIds: readonly number[],
  settings: ProvisionSettings,
): ServerPlan {
  const { serverId, version, hstoreSchema } = inspection
  const plans = planShards(inspection, shardIds, settings)
  const transactions = [
    ...(hstoreSchema === undefined ? [transactionSql(openExtension(settings), [createExtensionSql])] : []),
    ...cutIntoBatches(plans, settings).map((batch) => batchSql(batch, settings)),
  ]
  return Object.freeze({ serverId, version, shards: Object.freeze(plans), transactions: Object.freeze(transactions) })
}

/** Plans each shard; a missing extension counts as made. */
export function planShards(
  { hstoreSchema = DEFAULT_HSTORE_SCHEMA, shards }: ServerInspection,
  shardIds: readonly number[],
  { epochMs, isFollowed, spread }: ProvisionSettings,
): ShardPlan[] {
  const target = { hstoreSchema, epochMs, isFollowed, spread }
  return shardIds.map((shardId) => planShard(shardId, shards.get(shardId), target))
}

/**
 * Cuts what is to be done into transactions; each leaves whole shards. A shard that is adopted has one for itself: it
 * may be in use, and while a lock on its table is waited for, no other table of the transaction could be read.
 */
export function cutIntoBatches(
  plans: readonly ShardPlan[],
  { shardsPerTransaction }: Pick<ProvisionSettings, 'shardsPerTransaction'>,
): ShardPlan[][] {
  const created = plans.filter(({ outcome }) => outcome === 'created')
  const adopted = plans.filter(({ outcome }) => outcome === 'adopted')
  return [...cut(created, shardsPerTransaction), ...cut(adopted, 1)]
}

/** Opens a transaction that has these shards for itself: another provisioning of the same waits, within a bound. */
export function openBatch(shardIds: readonly number[], settings: ProvisionSettings): string[] {
  return openTransaction(settings, shardIds)
}

/** Opens a transaction that alone may create the extension: PostgreSQL lets two that try at once fail. */
export function openExtension(settings: ProvisionSettings): string[] {
  return openTransaction(settings, [EXTENSION_LOCK])
}

function cut<T>(things: readonly T[], length: number): T[][] {
  const count = Math.ceil(things.length / length)
  return Array.from({ length: count }, (_, index) => things.slice(index * length, (index + 1) * length))
}

function openTransaction(
  { lockTimeoutMs, statementTimeoutMs }: ProvisionSettings,
  lockIds: readonly number[],
): string[] {
  return [
    'begin',
    `set local lock_timeout = ${lockTimeoutMs}`,
    `set local statement_timeout = ${statementTimeoutMs}`,
    lockShardsSql(lockIds),
  ]
}

function batchSql(batch: readonly ShardPlan[], settings: ProvisionSettings): string {
  const opening = openBatch(
    batch.map(({ shardId }) => shardId),
    settings,
  )
  return transactionSql(
    opening,
    batch.flatMap(({ statements }) => statements),
  )
}

function transactionSql(opening: readonly string[], statements: readonly string[]): string {
  return [...opening, ...statements, 'commit', ''].join(';\n')
}
