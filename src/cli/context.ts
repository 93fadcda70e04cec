import { Catalog } from '../catalog/catalog.ts'
import { Datastore } from '../datastore/datastore.ts'
import { Fleet } from '../fleet/fleet.ts'
import type { Topology } from '../topology/topology.ts'
import { UsageError } from './arguments/usage-error.ts'
import {
  findCatalog,
  findConfig,
  loadConfig,
  loadConnections,
  type CatalogConfig,
  type Config,
  type ConfigSources,
  type ConnectionsConfig,
  type PartialConfig,
} from './config/config.ts'
import { listSecrets } from './config/secrets.ts'
import { Output, type TerminalStream } from './terminal/output.ts'
import type { SignalSource } from './terminal/stop-request.ts'

/** The parts of `process` that a command line touches. */
export interface Surroundings extends SignalSource {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: NodeJS.ReadStream
  readonly stdout: TerminalStream
  readonly stderr: TerminalStream
  cwd(): string
}

/** Options that every command takes. */
export interface CommonOptions {
  json?: boolean
  config?: string
  connections?: string
  catalog?: string
  epochMs?: string
}

/** What a command works with. */
export class Context {
  readonly stdin: NodeJS.ReadStream
  readonly output: Output
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly signals: SignalSource
  /** What the command ends with if nothing is thrown. */
  exitCode: 0 | 1 | 2 | 4 = 0
  #options: CommonOptions = {}

  constructor(surroundings: Surroundings) {
    const { env, stdin, stdout, stderr } = surroundings
    this.stdin = stdin
    this.env = env
    this.signals = surroundings
    this.cwd = surroundings.cwd()
    this.output = new Output(stdout, stderr, env)
    this.output.redactor.add(listSecrets(undefined, env))
  }

  /** Takes over the options of the command that was called. */
  apply(options: CommonOptions): void {
    this.#options = options
  }

  /** Refuses the flags of a configuration, for a command that has none. */
  assertNoConfigFlags(): void {
    const { config, connections, catalog, epochMs } = this.#options
    if ([config, connections, catalog, epochMs].every((each) => each === undefined)) return
    const flags = '--config, --connections, --catalog and --epoch-ms'
    throw new UsageError(`this command does not accept ${flags}: it reads no configuration`)
  }

  get isJson(): boolean {
    return this.#options.json === true
  }

  /** As much of the configuration as there is. Throws `HV_CONFIG_INVALID`. */
  async findConfig(): Promise<PartialConfig> {
    return this.#keepSecrets(await findConfig(this.#sources()))
  }

  /** The configuration. Throws `HV_CONFIG_NOT_FOUND`, `HV_CONFIG_INVALID`. */
  async loadConfig(): Promise<Config> {
    return this.#keepSecrets(await loadConfig(this.#sources()))
  }

  /** The servers of the configuration, also where it names a catalog beside them. */
  async loadConnections(): Promise<ConnectionsConfig> {
    return this.#keepSecrets(await loadConnections(this.#sources()))
  }

  /** The configuration of a fleet. Throws a {@link UsageError} when it names no catalog. */
  async loadCatalog(): Promise<CatalogConfig> {
    const config = await findCatalog(this.#sources())
    if (config !== undefined) return this.#keepSecrets(config)
    const hint =
      'Add --catalog postgres://…, set HYPERVAULT_CATALOG, or put { "catalog": "postgres://…" } into the file.'
    throw new UsageError('this command needs the catalog of a fleet, and the configuration names none', hint)
  }

  /** Works with the datastore of the configuration, and disconnects. The signal ends the opening. */
  async withDatastore<T>(work: (db: Datastore) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { options, catalog } = await this.loadConfig()
    await using db = catalog === undefined ? new Datastore(options) : await Datastore.open({ ...options, signal })
    return await work(db)
  }

  /** Where the shards live: as the configuration says, or as its catalog says now. */
  async loadTopology(config: Config): Promise<Topology> {
    if (config.topology !== undefined) return config.topology
    await using db = await Datastore.open(config.options)
    return db.topology
  }

  /** Works with the fleet of the configuration, and closes it. The signal ends the opening. */
  async withFleet<T>(work: (fleet: Fleet) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { catalog, epochMs, options } = await this.loadCatalog()
    await using fleet = await Fleet.open({ catalog, epochMs, secrets: options.secrets, signal })
    return await work(fleet)
  }

  /** Works with the catalog of the configuration, whether it has tables or not. */
  async withCatalog<T>(work: (catalog: Catalog) => Promise<T>): Promise<T> {
    const { catalog: connection } = await this.loadCatalog()
    await using catalog = new Catalog(connection)
    return await work(catalog)
  }

  #sources(): ConfigSources {
    return { ...this.#options, env: this.env, cwd: this.cwd }
  }

  #keepSecrets<T extends PartialConfig>(config: T): T {
    this.output.redactor.add(listSecrets(config.options, this.env))
    return config
  }
}
