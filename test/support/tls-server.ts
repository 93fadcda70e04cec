import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { getUnprivilegedIdentity } from '../../src/embedded/unprivileged.ts'
import { certificate, key } from './certificate.ts'

/** Starts a server with TLS, and these lines of pg_hba.conf before the one that wants passwords of everybody. */
export async function startTlsServer(rules: readonly string[]): Promise<EmbeddedServer> {
  const folder = mkdtempSync(join(inject('temporaryFolder'), 'tls-'))
  chmodSync(folder, 0o755)
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    const { uid, gid } = getUnprivilegedIdentity()
    if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid)
    return file
  }
  return EmbeddedServer.start({
    version: process.env['HYPERVAULT_PG_BIN'] ? undefined : inject('postgresVersion'),
    settings: {
      ssl: true,
      ssl_cert_file: write('server.crt', certificate),
      ssl_key_file: write('server.key', key),
      ssl_ca_file: write('ca.crt', certificate),
      hba_file: write('pg_hba.conf', `${[...rules, 'host all all 127.0.0.1/32 scram-sha-256'].join('\n')}\n`),
    },
  })
}
