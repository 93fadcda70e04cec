import type { ClientConfig } from 'pg'
import { assertConnectionString } from '../topology/connection-string.ts'
import { hideSecrets } from '../topology/hidden-secrets.ts'
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
  assertConnectionString(clientConfig.connectionString, where)
  const { connectionString, password: secret, port, ...others } = hideSecrets(clientConfig)
  const { secureContext, key } = Object(others.ssl) as { secureContext?: unknown; key?: unknown }
  if (connectionString !== undefined) throw new TypeError(`${where} has a connection string that cannot be read`)
  if (secureContext !== undefined || typeof key === 'string') {
    throw new TypeError(
      `${where}.ssl has a key, which a catalog does not store: name its file, { key: { file: '/path' } }`,
    )
  }
  if (secret !== undefined && password === undefined) {
    throw new TypeError(`${where} has a password, which a catalog does not hold: say where it is found`)
  }
  const given = port as number | string | undefined
  return parseServerSettings({ ...others, ...(given !== undefined && { port: Number(given) }), password }, where)
}
