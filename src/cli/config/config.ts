import { dirname } from 'node:path'
import { describeType } from '../../arguments/arguments.ts'
import { parseCatalogConnection, type CatalogConnection } from '../../catalog/catalog.ts'
import { SecretPlaces, type SecretsOptions } from '../../catalog/secret-places.ts'
import {
  assertSpread,
  resolveOptions,
  type DatastoreOptions,
  type FleetDatastoreOptions,
} from '../../datastore/datastore-options.ts'
import { HypervaultError } from '../../errors.ts'
import type { MigrationSource } from '../../schema/migrations/sources/migration-source.ts'
import { resolveSource } from '../../schema/migrations/sources/resolve-source.ts'
import { parseConnections } from '../../topology/connection-entry.ts'
import { Topology } from '../../topology/topology.ts'
import { parseJsonText } from '../terminal/json-text.ts'
import { CONFIG_NAMES, findMisnamed, invalidConfig, readConfigFile } from './config-file.ts'

/** Where options may come from. Flags win over the environment, and the environment over a file. */
export interface ConfigSources {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** `--config` */
  readonly config?: string | undefined
  /** `--connections`, as JSON */
  readonly connections?: string | undefined
  /** `--catalog`, a connection string */
  readonly catalog?: string | undefined
  /** `--epoch-ms` */
  readonly epochMs?: string | undefined
  /** Whether the logger of the file is used; default false: it may print to standard output, which is for data there. */
  readonly keepsLogger?: boolean
}

/** A checked configuration that names the servers. */
export interface ConnectionsConfig {
  readonly options: DatastoreOptions
  readonly epochMs: number
  readonly topology: Topology
  readonly catalog?: undefined
}

/** A checked configuration that names the catalog of a fleet, which has the servers. */
export interface CatalogConfig {
  readonly options: FleetDatastoreOptions
  readonly epochMs: number
  readonly topology?: undefined
  readonly catalog: CatalogConnection
}

/** A checked configuration. */
export type Config = ConnectionsConfig | CatalogConfig

/** What there is of a configuration, checked: enough to decode keys. */
export type PartialConfig = Config | { epochMs: number; options?: undefined; topology?: undefined; catalog?: undefined }

/** Options from one place, which is named when they are not accepted. */
interface Layer {
  readonly origin: string
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The configuration.
 *
 * @throws `HV_CONFIG_NOT_FOUND` if no file, variable or flag names connections or a catalog; `HV_CONFIG_INVALID`
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const config = await findConfig(sources)
  if (config.options !== undefined) return config
  throw notFound(sources)
}

/** The configuration of servers, also where a catalog is named as well. Throws what {@link loadConfig} throws. */
export async function loadConnections(sources: ConfigSources): Promise<ConnectionsConfig> {
  const config = toConfig(without('catalog', await readLayers(sources)))
  if (config.topology !== undefined) return config
  throw notFound(sources)
}

/** The configuration of a fleet, also where connections are named as well; undefined if no catalog is named. */
export async function findCatalog(sources: ConfigSources): Promise<CatalogConfig | undefined> {
  const config = toConfig(without('connections', await readLayers(sources)))
  return config.catalog === undefined ? undefined : config
}

/** As much of the configuration as there is. Throws `HV_CONFIG_INVALID`, and `HV_CONFIG_NOT_FOUND` for a file that was named. */
export async function findConfig(sources: ConfigSources): Promise<PartialConfig> {
  return toConfig(await readLayers(sources))
}

async function readLayers(sources: ConfigSources): Promise<Layer[]> {
  return [...(await readFile(sources)), ...readEnvironment(sources.env), ...readFlags(sources)]
}

function without(name: 'catalog' | 'connections', layers: readonly Layer[]): Layer[] {
  return layers.map(({ origin, options }) => {
    const { [name]: _, ...others } = options
    return { origin, options: others }
  })
}

/** What is said last holds: connections and a catalog take the place of each other. */
function toConfig(layers: readonly Layer[]): PartialConfig {
  layers.forEach(({ origin, options }) => accept(origin, () => resolveOptions(withoutFleetOptions(options))))
  layers.forEach(({ origin, options }) => accept(origin, () => new SecretPlaces(options.secrets as SecretsOptions)))
  const merged = Object.fromEntries(layers.flatMap(({ options }) => Object.entries(options)))
  const { epochMs } = resolveOptions(withoutFleetOptions(merged))
  const place = layers.findLast(({ options }) => 'connections' in options || 'catalog' in options)
  if (place === undefined) return { epochMs }
  const { origin, options } = place
  if ('connections' in options && 'catalog' in options) throw invalidConfig(origin, 'give connections or a catalog')
  if ('catalog' in options && options.spread !== undefined) throw invalidConfig(origin, 'a catalog has its own spread')
  return 'catalog' in options ? toCatalogConfig(merged, epochMs, origin) : toConnectionsConfig(merged, epochMs, origin)
}

function toConnectionsConfig(merged: Layer['options'], epochMs: number, origin: string): ConnectionsConfig {
  const topology = accept(origin, () => toTopology(merged))
  const options = { ...withoutFleetOptions(merged), connections: merged.connections }
  return { options: options as DatastoreOptions, epochMs, topology }
}

function toTopology(merged: Layer['options']): Topology {
  const servers = parseConnections(merged.connections)
  const { spread } = resolveOptions(withoutFleetOptions(merged))
  assertSpread(spread, servers)
  return new Topology(servers, { spread })
}

function toCatalogConfig(merged: Layer['options'], epochMs: number, origin: string): CatalogConfig {
  // The spread of the connections that a flag or a variable has taken the place of.
  const { connections: _, spread: __, ...options } = merged
  const catalog = accept(origin, () => parseCatalogConnection(merged.catalog))
  return { options: { ...options, catalog }, epochMs, catalog }
}

/** Options that only a datastore of a fleet takes. */
function withoutFleetOptions(options: Layer['options']): Layer['options'] {
  const { catalog: _, topologyFile: __, topologyPollMs: ___, secrets: ____, ...others } = options
  return others
}

function notFound({ cwd: folder }: ConfigSources): HypervaultError<'HV_CONFIG_NOT_FOUND'> {
  const message = `${folder} has none of ${CONFIG_NAMES.join(', ')}`
  const [misnamed] = findMisnamed(folder).filter((name) => !CONFIG_NAMES.includes(name))
  if (misnamed === undefined) return new HypervaultError('HV_CONFIG_NOT_FOUND', message, { folder })
  const hint = `Rename ${misnamed} to one of these names, as an ES module or as JSON.`
  return new HypervaultError('HV_CONFIG_NOT_FOUND', `${message}, though it has ${misnamed}`, { folder }, { hint })
}

async function readFile({ env, cwd, config, keepsLogger = false }: ConfigSources): Promise<Layer[]> {
  const found = await readConfigFile(cwd, config ?? env.HYPERVAULT_CONFIG)
  if (found === undefined) return []
  const { file, content } = found
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    const hint = `${describeContent(content)}. Write \`export default { connections: [ … ] }\`, in JSON the object itself.`
    throw invalidConfig(
      file,
      'it must hold an object of options, in .ts and .mjs as its default export',
      undefined,
      hint,
    )
  }
  const { logger, ...given } = content as Record<string, unknown>
  const heard = keepsLogger && logger !== undefined ? { logger } : {}
  const options = { ...given, ...heard, ...accept(file, () => resolveMigrations(given.migrations, file)) }
  return [{ origin: file, options: 'catalog' in options ? options : { connections: undefined, ...options } }]
}

function describeContent(content: unknown): string {
  return content === undefined ? 'It has no default export' : `It holds ${describeType(content)}`
}

/** A folder of a file is meant from where the file lies. */
function resolveMigrations(migrations: unknown, file: string): { migrations?: MigrationSource } {
  const source = resolveSource(migrations, dirname(file))
  return source === undefined ? {} : { migrations: source }
}

function readEnvironment(env: NodeJS.ProcessEnv): Layer[] {
  const { HYPERVAULT_CONNECTIONS: connections, HYPERVAULT_CATALOG: catalog, HYPERVAULT_EPOCH_MS: epochMs } = env
  return [
    ...readConnections('HYPERVAULT_CONNECTIONS', connections),
    ...readCatalog('HYPERVAULT_CATALOG', catalog),
    ...readEpoch('HYPERVAULT_EPOCH_MS', epochMs),
  ]
}

function readFlags({ connections, catalog, epochMs }: ConfigSources): Layer[] {
  return [
    ...readConnections('--connections', connections),
    ...readCatalog('--catalog', catalog),
    ...readEpoch('--epoch-ms', epochMs),
  ]
}

function readCatalog(origin: string, text: string | undefined): Layer[] {
  return text === undefined ? [] : [{ origin, options: { catalog: text } }]
}

/** An array of entries, or an object that has them as `connections`, as `npx pg-hypervault dev --json` prints it. */
function readConnections(origin: string, text: string | undefined): Layer[] {
  if (text === undefined) return []
  const content = accept(origin, () => parseJsonText(text))
  const connections = Array.isArray(content) ? content : (Object(content) as { connections?: unknown }).connections
  if (!Array.isArray(connections)) throw invalidConfig(origin, 'it must be a JSON array of entries')
  return [{ origin, options: { connections } }]
}

function readEpoch(origin: string, text: string | undefined): Layer[] {
  if (text === undefined) return []
  if (!/^\d{1,16}$/.test(text)) throw invalidConfig(origin, 'it must be milliseconds since 1970, such as 1379365531352')
  return [{ origin, options: { epochMs: Number(text) } }]
}

function accept<T>(origin: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw invalidConfig(origin, (error as Error).message, error)
  }
}
