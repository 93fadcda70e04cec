/** The entry point `pg-hypervault/testing`: real PostgreSQL servers for development and tests. */
export { EmbeddedServer, type EmbeddedServerOptions } from './embedded/embedded-server.ts'
export type { PostgresVersion } from './embedded/postgres-version.ts'
export type { ServerConnection } from './embedded/server-connection.ts'
export type { Settings } from './embedded/settings.ts'
export { startCluster, type Cluster, type ClusterConnection, type ClusterOptions } from './embedded/start-cluster.ts'
export type { ProvisionProgress } from './schema/provision-options.ts'
