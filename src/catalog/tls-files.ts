import { readFileSync } from 'node:fs'
import { createSecureContext, type ConnectionOptions, type SecureContextOptions } from 'node:tls'
import type { TlsSettings } from './server-settings.ts'
import { assertShortFile } from './short-file.ts'

/**
 * What `pg` takes for TLS, with the files as they are now. They are inside of a context, where a key is not seen.
 *
 * @throws what the file system throws, and what OpenSSL says of the content
 */
export function openTlsFiles({ ca, cert, key, ...others }: TlsSettings): ConnectionOptions {
  const read = ([name, of]: [string, { readonly file: string } | undefined]): object[] =>
    of === undefined ? [] : [{ [name]: readTlsFile(of.file) }]
  const contents = Object.entries({ ca, cert, key }).flatMap(read)
  if (contents.length === 0) return others
  return { ...others, secureContext: createSecureContext(Object.assign({}, ...contents) as SecureContextOptions) }
}

function readTlsFile(file: string): Buffer {
  assertShortFile(file)
  return readFileSync(file)
}
