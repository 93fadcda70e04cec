import { Datastore } from '../datastore.ts'
import { findConfig, loadConfig, type Config, type ConfigSources, type PartialConfig } from './config.ts'
import { Output, type TerminalStream } from './output.ts'
import { listSecrets } from './secrets.ts'
import type { SignalSource } from './stop-request.ts'
import { UsageError } from './usage-error.ts'

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
    const { config, connections, epochMs } = this.#options
    if (config === undefined && connections === undefined && epochMs === undefined) return
    throw new UsageError('this command takes no --config, --connections and --epoch-ms: it reads no configuration')
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

  /** Works with the datastore of the configuration, and disconnects. */
  async withDatastore<T>(work: (db: Datastore) => Promise<T>): Promise<T> {
    const { options } = await this.loadConfig()
    await using db = new Datastore(options)
    return await work(db)
  }

  #sources(): ConfigSources {
    return { ...this.#options, env: this.env, cwd: this.cwd }
  }

  #keepSecrets<T extends PartialConfig>(config: T): T {
    this.output.redactor.add(listSecrets(config.options?.connections, this.env))
    return config
  }
}
