import type { SecretReference } from '../../catalog/secret.ts'
import { UsageError } from '../arguments/usage-error.ts'

/** Reads `env:NAME` or `file:/path`. What else is given is not repeated: it may be a password. */
export function parseSecretOption(flag: string, text: string): SecretReference {
  const [, kind, name] = /^(env|file):(.+)$/s.exec(text) ?? []
  if (kind === 'env' && name !== undefined) return { env: name }
  if (kind === 'file' && name !== undefined) return { file: name }
  throw new UsageError(`${flag} must be env:NAME or file:/path: a catalog holds no passwords`)
}

/** The variable that a password is looked for in when nobody says otherwise: `HYPERVAULT_PASSWORD_S1`. */
export function defaultPasswordVariable(serverId: string): string {
  return `HYPERVAULT_PASSWORD_${serverId.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
}
