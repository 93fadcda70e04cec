/** The entry point `pg-hypervault/fleet`: shards that move between the servers of a catalog. */
export { Catalog, type CatalogConnection } from './catalog/catalog.ts'
export type { FleetRecord, FleetServer, ServerState } from './catalog/fleet-record.ts'
export type { FleetChange } from './catalog/history.ts'
export type { SecretsOptions } from './catalog/secret-places.ts'
export type { SecretReference } from './catalog/secret.ts'
export type { ServerSettings, TlsSettings } from './catalog/server-settings.ts'
export type { DoctorOptions, DoctorReport } from './fleet/doctor/doctor.ts'
export type { Finding, FindingKind } from './fleet/doctor/finding.ts'
export { Fleet } from './fleet/fleet.ts'
export type {
  DryRun,
  FleetOptions,
  ImportConnectionsOptions,
  MoveRunOptions,
  MoveTargetOptions,
} from './fleet/fleet-options.ts'
export type { MoveResult } from './fleet/move/move-result.ts'
export type { MoveHooks } from './fleet/move/open-move.ts'
export type { MoveProgress } from './fleet/move/move-context.ts'
export type { JournalEntry } from './fleet/move/journal.ts'
export type { MovePhase, MoveRecord, MoveReport } from './fleet/move/move-record.ts'
export type { MoveStatus, MoveVerb } from './fleet/move/observe-move.ts'
export type { EndProblem } from './fleet/move/foresee-end.ts'
export type { EndStep, MoveEndPlan } from './fleet/move/plan-end.ts'
export type { MovePlan, PlannedStep } from './fleet/move/plan-move.ts'
export type {
  Rebalance,
  RebalanceApplyOptions,
  RebalancePlan,
  RebalancePlanOptions,
} from './fleet/rebalance/rebalance.ts'
export type { PlannedMove, ServerLoad } from './fleet/rebalance/decide-rebalance.ts'
export type { SpreadFailure } from './schema/record-spread.ts'
export type { SpreadPlan } from './topology/spread.ts'
export type { MovedShard } from './fleet/rebalance/run-moves.ts'
export type { RebalanceMeasure } from './fleet/rebalance/weigh-shards.ts'
