import { Client, type ClientConfig, type PoolOptions } from 'pg'
import { GATE, gateOf, guardPassword } from '../../pool/connection-gate.ts'
import { parametersOf } from '../../pool/pg-internals.ts'
import { searchPath } from '../../sql/search-path.ts'
import type { ShardSite } from '../shard-site.ts'

/*
 * `options` of a shard's pool. Tools open connections of their own by them (`new Client(pool.options)`), so they lead to the
 * database that has the shard now, and to its schema: by `options` of the start-up message, as far as a session of its own
 * can. The password can be read, but is not seen when it is printed, written as JSON or copied.
 */

/** What belongs to a pool and not to a connection, or is said in other words here. */
const left = ['connectionString', 'options', 'onConnect', 'verify', 'Client', 'Promise', 'stream', 'connection', 'log']

/**
 * How to connect to where a shard lives now.
 *
 * @throws `HV_SHARD_UNKNOWN`, `HV_CLOSED`, `HV_SERVER_UNUSABLE`
 */
export function describePool(site: ShardSite): PoolOptions {
  const { shardId } = site
  const { pool, hstoreSchema } = site.findHome()
  const { clientConfig } = pool
  const kept = Object.entries(clientConfig).filter(([name]) => name !== 'password' && !left.includes(name))
  const parameters = parametersOf(clientConfig)
  const { host, port, database, user, options } = parameters
  const gate = gateOf(clientConfig)
  const { ssl = parameters.ssl, password = parameters.password } = gate?.pass() ?? {}
  const path = `-c search_path=${searchPath(shardId, hstoreSchema).replaceAll(/[\\\s]/g, String.raw`\$&`)}`
  const described = {
    ...(gate !== undefined && { [GATE]: gate }),
    ...Object.fromEntries(kept),
    ...{ host, port, database, user, ssl },
    options: options ? `${options} ${path}` : path,
    ...{ max: pool.max, min: 0, maxUses: Infinity, allowExitOnIdle: false, maxLifetimeSeconds: 0 },
    idleTimeoutMillis: null,
  }
  return Object.defineProperty(described, 'password', { value: password, enumerable: false, writable: true })
}

/** The class of clients that a shard's pool shows: whatever it is given, it connects to where the shard lives. */
export function clientClassOf(describe: () => PoolOptions): typeof Client {
  return class ShardClient extends Client {
    constructor(config: string | ClientConfig = {}) {
      const described = describe()
      const given = typeof config === 'string' ? {} : { ...config, connectionString: undefined, Promise: undefined }
      super({ ...given, ...described, password: described.password })
      guardPassword(this, gateOf(described))
    }
  }
}
