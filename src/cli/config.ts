import { resolveOptions, type DatastoreOptions } from '../datastore-options.ts'
import { HypervaultError } from '../errors.ts'
import { parseConnections } from '../topology/connection-entry.ts'
import { Topology } from '../topology/topology.ts'
import { CONFIG_NAMES, invalidConfig, readConfigFile } from './config-file.ts'
import { parseJsonText } from './json-text.ts'

/** Where options may come from. Flags win over the environment, and the environment over a file. */
export interface ConfigSources {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** `--config` */
  readonly config?: string | undefined
  /** `--connections`, as JSON */
  readonly connections?: string | undefined
  /** `--epoch-ms` */
  readonly epochMs?: string | undefined
}

/** A checked configuration. */
export interface Config {
  readonly options: DatastoreOptions
  readonly epochMs: number
  readonly topology: Topology
}

/** What there is of a configuration, checked: enough to decode keys. */
export type PartialConfig = Pick<Config, 'epochMs'> & Partial<Config>

/** Options from one place, which is named when they are not accepted. */
interface Layer {
  readonly origin: string
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The configuration.
 *
 * @throws `HV_CONFIG_NOT_FOUND` if no file, variable or flag names connections; `HV_CONFIG_INVALID`
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { options, epochMs, topology } = await findConfig(sources)
  if (options !== undefined && topology !== undefined) return { options, epochMs, topology }
  const { cwd: folder } = sources
  throw new HypervaultError('HV_CONFIG_NOT_FOUND', `${folder} has none of ${CONFIG_NAMES.join(', ')}`, { folder })
}

/** As much of the configuration as there is. Throws `HV_CONFIG_INVALID`, and `HV_CONFIG_NOT_FOUND` for a file that was named. */
export async function findConfig(sources: ConfigSources): Promise<PartialConfig> {
  const layers = [...(await readFile(sources)), ...readEnvironment(sources.env), ...readFlags(sources)]
  layers.forEach(({ origin, options }) => accept(origin, () => resolveOptions(options)))
  const merged = Object.fromEntries(layers.flatMap(({ options }) => Object.entries(options)))
  const { epochMs } = resolveOptions(merged)
  const origin = layers.findLast(({ options }) => 'connections' in options)?.origin
  if (origin === undefined) return { epochMs }
  const topology = accept(origin, () => new Topology(parseConnections(merged.connections)))
  return { options: merged as unknown as DatastoreOptions, epochMs, topology }
}

async function readFile({ env, cwd, config }: ConfigSources): Promise<Layer[]> {
  const found = await readConfigFile(cwd, config ?? env.HYPERVAULT_CONFIG)
  if (found === undefined) return []
  const { file, content } = found
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalidConfig(file, 'it must hold an object of options, in .ts and .mjs as its default export')
  }
  // A logger of the application may print to standard output, which is for data here.
  const { logger: _, ...options } = { connections: undefined, ...content } as Record<string, unknown>
  return [{ origin: file, options }]
}

function readEnvironment(env: NodeJS.ProcessEnv): Layer[] {
  const { HYPERVAULT_CONNECTIONS: connections, HYPERVAULT_EPOCH_MS: epochMs } = env
  return [...readConnections('HYPERVAULT_CONNECTIONS', connections), ...readEpoch('HYPERVAULT_EPOCH_MS', epochMs)]
}

function readFlags({ connections, epochMs }: ConfigSources): Layer[] {
  return [...readConnections('--connections', connections), ...readEpoch('--epoch-ms', epochMs)]
}

/** An array of entries, or an object that has them as `connections`, as `hypervault dev --json` prints it. */
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
