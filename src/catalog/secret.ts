import { readFile } from 'node:fs/promises'
import { describeType } from '../arguments/arguments.ts'
import type { SecretPlaces } from './secret-places.ts'
import { assertShortFile } from './short-file.ts'

/** Where a secret is found; the catalog holds this, never the secret. */
export type SecretReference = { readonly env: string } | { readonly file: string }

/**
 * Reads a reference.
 *
 * @param where names its place in messages
 * @throws TypeError for anything else, a secret itself included, which is not repeated
 */
export function parseSecretReference(value: unknown, where: string): SecretReference {
  const problem = `${where} must be { env: 'NAME' } or { file: '/path' }: the catalog holds no secrets`
  if (typeof value !== 'object' || value === null) throw new TypeError(`${problem}, got ${describeType(value)}`)
  const [[kind, name] = [], ...others] = Object.entries(value)
  const isReference = (kind === 'env' || kind === 'file') && typeof name === 'string' && name !== ''
  if (!isReference || others.length > 0) throw new TypeError(problem)
  return Object.freeze(kind === 'env' ? { env: name } : { file: name })
}

/**
 * The secret itself, without the line end of its file.
 *
 * @throws what {@link assertSecret} throws
 */
export async function readSecret(reference: SecretReference, places: SecretPlaces): Promise<string> {
  const place = assertSecret(reference, places)
  return 'file' in reference ? (await readFile(place, 'utf8')).replace(/\r?\n$/, '') : place
}

/**
 * Gives the file, or the content of the variable.
 *
 * @throws `RefusedSecret` unless it may be read; Error that names the variable or the file unless it is there
 */
export function assertSecret(reference: SecretReference, places: SecretPlaces): string {
  if ('file' in reference) {
    const path = places.resolveFile(reference.file)
    assertShortFile(path)
    return path
  }
  places.assertVariable(reference.env)
  const secret = process.env[reference.env]
  if (secret === undefined) throw new Error(`the environment variable ${reference.env} is not set`)
  return secret
}
