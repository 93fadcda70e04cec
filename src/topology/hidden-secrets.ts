import { createSecureContext } from 'node:tls'
import type { ClientConfig } from 'pg'
import { parse } from 'pg-connection-string'

/*
 * Configurations are reachable from what is printed: a topology, a server, a catalog. So their secrets are out of sight:
 *
 *   a connection string        is taken apart, as pg does it, and leaves only its parts
 *   a password                 is a property that is not enumerable: pg reads it, and no printing, JSON or copy has it
 *   key, pfx and passphrase    are inside of a TLS context, which shows nothing
 *
 * What copies a configuration to connect by it copies with `copyConfig`.
 */

/** What pg reads of a connection string; everything else in one has no effect. */
const parsedNames: ReadonlySet<string> = new Set([
  ...['user', 'database', 'port', 'host', 'options', 'ssl', 'sslnegotiation', 'client_encoding', 'replication'],
  ...['application_name', 'fallback_application_name', 'statement_timeout', 'lock_timeout', 'query_timeout'],
  ...['idle_in_transaction_session_timeout'],
])

const hidden = new WeakSet<object>()

/** The same configuration, frozen, with its secrets out of sight. */
export function hideSecrets(config: ClientConfig): ClientConfig {
  if (hidden.has(config)) return config
  const { connectionString, password, ssl, ...others } = takeApart(config, config.password)
  const shown: ClientConfig = { ...others, ...(ssl !== undefined && { ssl: hideTlsSecrets(ssl) }) }
  const copy = Object.freeze(withSecrets(shown, { connectionString, password }))
  hidden.add(copy)
  return copy
}

/** What is out of sight in a configuration, for whoever copies it to connect by the copy. */
export function secretsOf({ connectionString, password }: ClientConfig): ClientConfig {
  return { ...(connectionString !== undefined && { connectionString }), ...(password !== undefined && { password }) }
}

/** A copy to connect by, with other values for what is named. */
export function copyConfig(config: ClientConfig, more: ClientConfig = {}): ClientConfig {
  return withSecrets({ ...config, ...more }, secretsOf(config))
}

/** The options of TLS, with keys out of sight. */
export function hideTlsSecrets(ssl: ClientConfig['ssl']): ClientConfig['ssl'] {
  if (typeof ssl !== 'object' || ssl === null) return ssl
  // pg has made the key of an object that it has met not enumerable.
  const { pfx, passphrase, key: _, ...others } = ssl
  const secrets = [ssl.key, pfx, passphrase].filter(isContent)
  if (secrets.length === 0) return ssl
  try {
    return { secureContext: createSecureContext(ssl), ...others }
  } catch {
    // Connecting fails with the reason: pg hands on a key that is not enumerable, and this one is none.
    return Object.defineProperty(others, 'key', { value: '-' })
  }
}

/** A secret itself, and not where it is found. */
function isContent(value: unknown): boolean {
  return typeof value === 'string' || Array.isArray(value) || ArrayBuffer.isView(value)
}

function withSecrets(shown: ClientConfig, { connectionString, password }: ClientConfig): ClientConfig {
  if (connectionString !== undefined) Object.defineProperty(shown, 'connectionString', { value: connectionString })
  if (password === undefined) return shown
  return Object.defineProperty(shown, 'password', { value: password, enumerable: typeof password === 'function' })
}

/** As pg does it: what the string says wins. A string that cannot be read stays, so that connecting tells what is wrong. */
function takeApart({ connectionString, ...others }: ClientConfig, password: ClientConfig['password']): ClientConfig {
  const given: ClientConfig = { ...others, ...secretsOf({ password }) }
  if (connectionString === undefined) return given
  try {
    const said = parse(connectionString) as unknown as Record<string, unknown>
    const parts = Object.fromEntries(Object.entries(said).filter(([name]) => parsedNames.has(name)))
    const all = Object.entries({ ...given, ...parts, password: said.password || password })
    return Object.fromEntries(all.filter(([, value]) => value !== undefined && value !== null && value !== ''))
  } catch {
    return { ...given, connectionString }
  }
}
