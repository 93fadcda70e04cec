import { assertCallOptions } from '../../arguments/call-options.ts'
import type { DatastoreOptions, FleetDatastoreOptions } from '../../datastore/datastore-options.ts'
import { loadConfig as loadFrom } from './config.ts'

/** Where a configuration is looked for. */
export interface LoadConfigOptions {
  /** The folder of the file; default the working folder. */
  readonly folder?: string | undefined
  /** The file, in the place of the search; default that of `HYPERVAULT_CONFIG`. */
  readonly file?: string | undefined
}

/**
 * The configuration as `npx pg-hypervault` finds it, for an application: `hypervault.config.ts`, `.mjs` or `.json` in the
 * folder, and the variables of the environment, which win over it. Gives what a `Datastore` takes, checked.
 *
 * @throws `HV_CONFIG_NOT_FOUND`, `HV_CONFIG_INVALID`
 * @example
 * const options = await loadConfig()
 * const db = 'catalog' in options ? await Datastore.open(options) : new Datastore(options)
 */
export async function loadConfig(options: LoadConfigOptions = {}): Promise<DatastoreOptions | FleetDatastoreOptions> {
  assertCallOptions('loadConfig', options)
  const { folder: cwd = process.cwd(), file: config } = options
  return (await loadFrom({ env: process.env, cwd, config, keepsLogger: true })).options
}
