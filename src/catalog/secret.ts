import { readFile } from 'node:fs/promises'
import { describeType } from '../arguments.ts'
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
 * @throws Error that names the variable or the file
 */
export async function readSecret(reference: SecretReference): Promise<string> {
  assertSecret(reference)
  if ('file' in reference) return (await readFile(reference.file, 'utf8')).replace(/\r?\n$/, '')
  return process.env[reference.env] ?? ''
}

/** Throws an Error that names the variable or the file, unless it is there. */
export function assertSecret(reference: SecretReference): void {
  if ('file' in reference) assertShortFile(reference.file)
  else if (process.env[reference.env] === undefined) {
    throw new Error(`the environment variable ${reference.env} is not set`)
  }
}
