/** The entry point `pg-hypervault/fleet`: shards that move between the servers of a catalog. */
export { Catalog, type CatalogConnection } from './catalog/catalog.ts'
export type { FleetRecord, FleetServer, ServerState } from './catalog/fleet-record.ts'
export type { SecretReference } from './catalog/secret.ts'
export type { ServerSettings, TlsSettings } from './catalog/server-settings.ts'
export { Fleet, type FleetOptions, type MoveResult, type MoveRunOptions } from './fleet/fleet.ts'
export type { MoveHooks } from './fleet/move/open-move.ts'
export type { MoveProgress } from './fleet/move/move-context.ts'
export type { MovePhase, MoveRecord, MoveReport } from './fleet/move/move-record.ts'
