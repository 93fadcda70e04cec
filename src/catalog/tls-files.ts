import { readFileSync } from 'node:fs'
import { createSecureContext, type ConnectionOptions, type SecureContextOptions } from 'node:tls'
import type { SecretPlaces } from './secret-places.ts'
import type { TlsSettings } from './server-settings.ts'
import { assertShortFile } from './short-file.ts'

/**
 * What `pg` takes for TLS, with the files as they are now. They are inside of a context, where a key is not seen.
 *
 * @throws `RefusedSecret` for a key that may not be read; what the file system throws, and what OpenSSL says of the content
 */
export function openTlsFiles({ ca, cert, key, ...others }: TlsSettings, places: SecretPlaces): ConnectionOptions {
  const read = ([name, of]: [string, { readonly file: string } | undefined]): object[] =>
    of === undefined ? [] : [{ [name]: readTlsFile(of.file) }]
  // Certificates are no secrets. A key is one.
  const resolved = key && { file: places.resolveFile(key.file) }
  const contents = Object.entries({ ca, cert, key: resolved }).flatMap(read)
  if (contents.length === 0) return others
  return { ...others, secureContext: createSecureContext(Object.assign({}, ...contents) as SecureContextOptions) }
}

function readTlsFile(file: string): Buffer {
  assertShortFile(file)
  return readFileSync(file)
}
