import type { ClientConfig } from 'pg'
import { parse } from 'pg-connection-string'
import { assertConnectionString } from '../topology/connection-string.ts'
import type { SecretReference } from './secret.ts'
import { parseServerSettings, type ServerSettings } from './server-settings.ts'

/**
 * The settings for a catalog of a server that is named by what `pg` takes. The password stays behind: what is stored is
 * where it is found.
 *
 * @param where names the entry in messages
 * @throws TypeError, RangeError for what a catalog cannot hold, such as the text of a certificate
 */
export function settingsOfConnection(
  clientConfig: ClientConfig,
  password: SecretReference | undefined,
  where: string,
): ServerSettings {
  const { connectionString, ...given } = clientConfig
  const all: Record<string, unknown> = { ...given, ...readUrl(connectionString, where) }
  const { password: secret, port, ...others } = all
  if (secret !== undefined && password === undefined) {
    throw new TypeError(`${where} has a password, which a catalog does not hold: say where it is found`)
  }
  return parseServerSettings({ ...others, ...(port !== undefined && { port: Number(port) }), password }, where)
}

/** Without what an URL leaves open. */
function readUrl(connectionString: string | undefined, where: string): Record<string, unknown> {
  if (connectionString === undefined) return {}
  assertConnectionString(connectionString, where)
  try {
    const given = Object.entries(parse(connectionString)).filter(([, value]) => value !== null && value !== '')
    return Object.fromEntries(given)
  } catch {
    // What the parser says may quote the URL, with its password.
    throw new TypeError(`${where} has a connection string that cannot be read`)
  }
}
