/** Hypervault: logical shards on several PostgreSQL servers. */
export { loadConfig, type LoadConfigOptions } from './cli/config/load-config.ts'
export type { SecretsOptions } from './catalog/secret-places.ts'
export { Datastore, type DatastoreStats } from './datastore/datastore.ts'
export { migrate, type MigrateRequest } from './datastore/migrate.ts'
export type { DatastoreOptions, FleetDatastoreOptions } from './datastore/datastore-options.ts'
export type { Change, ChangeOptions, ChangeOutcome, ConditionalOptions, Replacement } from './entity/change/change.ts'
export type { ChangeCondition, DeleteOutcome } from './entity/change/condition.ts'
export type { CountOptions } from './entity/scan/count/count-options.ts'
export type { CountReport, ShardCount } from './entity/scan/count/count-report.ts'
export type { Entity } from './entity/rows/entity.ts'
export type { FindAccess, FindPlan } from './entity/find/explain.ts'
export type { EntityQuery, FindOrder, FindQuery } from './entity/find/find-query.ts'
export type { Where } from './entity/find/where.ts'
export type { CommitEnd } from './entity/load/commit-end.ts'
export { defineKind } from './entity/kind/define-kind.ts'
export type { CustomCodec } from './entity/kind/custom-codec.ts'
export type { Field, FieldEquality, FieldPresence } from './entity/kind/field.ts'
export {
  bigint,
  boolean,
  bytes,
  custom,
  integer,
  json,
  number,
  oneOf,
  reference,
  text,
  timestamp,
  uuid,
} from './entity/kind/fields.ts'
export type { InferInput, InferOutput, KeyOf } from './entity/kind/infer.ts'
export { issuesOf } from './entity/kind/issues.ts'
export type { AnyKind, Kind, KindDefinition } from './entity/kind/kind.ts'
export type {
  KindChange,
  KindChangeOptions,
  KindChangeOutcome,
  KindCondition,
  KindDeleteOutcome,
  KindEntity,
} from './entity/kind/kind-entity.ts'
export type { KindKey } from './entity/kind/kind-key.ts'
export type { KindLoadOptions } from './entity/kind/kind-load.ts'
export type { KindCountOptions, KindQuery, KindWhere } from './entity/kind/kind-query.ts'
export type { KindScan, KindScanOptions, KindScanPage } from './entity/kind/kind-scan.ts'
export type { KindStore } from './entity/kind/kind-store.ts'
export type { KindTransaction } from './entity/kind/kind-transaction.ts'
export type { FieldIssue } from './entity/kind/misfit.ts'
export type { LoadAccount } from './entity/load/ledger.ts'
export type { Load } from './entity/load/load.ts'
export type { BatchTicket, LoadBatch } from './entity/load/load-batch.ts'
export type { KindOf, LoadOptions, LoadProgress, LoadSource, RefusedRow } from './entity/load/load-options.ts'
export { remainingRows, type RemainingOptions } from './entity/load/remaining-rows.ts'
export type { RowRange } from './entity/load/row-ranges.ts'
export type { EntityOptions, OperationOptions } from './entity/operation-options.ts'
export type {
  ExportFormat,
  ExportOptions,
  ExportProgress,
  ExportSink,
  ExportTarget,
} from './entity/scan/export/export-options.ts'
export type { Scan } from './entity/scan/scan.ts'
export type { MissingShard, ScanPage } from './entity/scan/scan-page.ts'
export type { ScanOptions, ScanQuery, ShardErrorPolicy } from './entity/scan/scan-query.ts'
export type { Shard, ShardOptions } from './entity/shard.ts'
export type { Transaction } from './entity/transaction/transaction.ts'
export {
  HypervaultError,
  isHypervaultError,
  type AnyHypervaultError,
  type ErrorCode,
  type ErrorDetails,
} from './errors.ts'
export type { Body } from './hstore/body.ts'
export { decodeHstore } from './hstore/decode.ts'
export { encodeHstore } from './hstore/encode.ts'
export { Key, type KeyBounds, type KeyFields } from './key/key.ts'
export { DEFAULT_EPOCH_MS } from './key/layout.ts'
export type { Logger } from './pool/logger.ts'
export type { PoolStats } from './pool/stats.ts'
export type { ServerStats } from './shard/server-pools.ts'
export type { DriftOptions, DriftProgress } from './schema/drift/drift-options.ts'
export type { DriftFailure, DriftReport, InvalidIndex, ShapeGroup } from './schema/drift/drift-report.ts'
export type { IndexCast, IndexDefinition } from './schema/indexes/index-definition.ts'
export type { IndexFailure } from './schema/indexes/index-failure.ts'
export type { IndexOptions, IndexProgress } from './schema/indexes/index-options.ts'
export type { ListedIndex } from './schema/indexes/list-indexes.ts'
export type { IndexReport, ServerIndexReport, ShardIndexes } from './schema/indexes/shard-indexes.ts'
export type { MigrationName, MigrationShard } from './schema/migrations/migration.ts'
export type { MigrationFailure } from './schema/migrations/migration-failure.ts'
export type { MigrateOptions, MigratePlanOptions } from './schema/migrations/options.ts'
export type { MigrationPlan } from './schema/migrations/plan/describe-plan.ts'
export type { UnfitShard } from './schema/migrations/plan/plan-migrations.ts'
export type { Wave, WaveShards } from './schema/migrations/plan/plan-waves.ts'
export type { MigrationProgress } from './schema/migrations/progress.ts'
export type { MigrationReport } from './schema/migrations/run/migration-run.ts'
export type { MigrationReadOptions, ShardMigrations } from './schema/migrations/shard-migrations.ts'
export { fromDrizzle } from './schema/migrations/sources/drizzle.ts'
export { fromFolder } from './schema/migrations/sources/folder.ts'
export { fromKysely } from './schema/migrations/sources/kysely.ts'
export type { MigrationSource } from './schema/migrations/sources/migration-source.ts'
export type { MigrationsOption } from './schema/migrations/sources/resolve-source.ts'
export type { MigrationStatus, ServerMigrationStatus, ShardMigrationStatus } from './schema/migrations/status.ts'
export { planProvision, provision, type ProvisionPlan, type ProvisionReport } from './schema/provision.ts'
export type { ProvisionOptions, ProvisionProgress } from './schema/provision-options.ts'
export type { ServerPlan } from './schema/plan-server.ts'
export type { ServerReport } from './schema/server-provision.ts'
export type { ShardConnection } from './shard/shard-connection.ts'
export type { Int8 } from './shard/query/int8.ts'
export type { ShardPool } from './shard/query/shard-pool.ts'
export { sql, type ShardSql, type Sql, type SqlFragment, type SqlQuery } from './shard/query/sql.ts'
export type { Isolation, TransactionOptions } from './shard/transaction/transaction-options.ts'
export type { ConnectionEntry, Server } from './topology/connection-entry.ts'
export type { ShardRange } from './topology/shard-range.ts'
export type { Topology } from './topology/topology.ts'
