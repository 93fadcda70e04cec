import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { ClientConfig } from 'pg'
import { assertBoolean, assertInteger, describeType } from '../arguments.ts'
import { parseSecretReference, readSecret, type SecretReference } from './secret.ts'

/** How a server checks the other side of a TLS connection, and shows itself. Files, not their contents. */
export interface TlsSettings {
  readonly rejectUnauthorized?: boolean
  readonly servername?: string
  readonly ca?: { readonly file: string }
  readonly cert?: { readonly file: string }
  readonly key?: { readonly file: string }
}

/** How a server of a fleet is reached. It is stored in the catalog, so secrets are named and not given. */
export interface ServerSettings {
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  readonly password?: SecretReference
  readonly ssl?: boolean | TlsSettings
  readonly application_name?: string
}

type Check = (value: unknown, where: string) => unknown

const checks: Readonly<Record<keyof ServerSettings, Check>> = {
  host: parseText,
  port: parsePort,
  database: parseText,
  user: parseText,
  password: parseSecretReference,
  ssl: parseTls,
  application_name: parseText,
}

const tlsChecks: Readonly<Record<keyof TlsSettings, Check>> = {
  rejectUnauthorized: parseSwitch,
  servername: parseText,
  ca: parseFile,
  cert: parseFile,
  key: parseFile,
}

/**
 * Checks settings.
 *
 * @throws TypeError or RangeError that names the setting; the value of a password is never repeated
 */
export function parseServerSettings(value: unknown, where = 'settings'): ServerSettings {
  return parseObject(value, where, checks)
}

/** What `pg` needs to connect. The password is read anew for each connection, so it can be changed in place. */
export function toClientConfig({ password, ssl, ...others }: ServerSettings): ClientConfig {
  return Object.freeze({
    ...others,
    ...(password !== undefined && { password: () => readSecret(password) }),
    ...(ssl !== undefined && { ssl: typeof ssl === 'boolean' ? ssl : readTls(ssl) }),
  })
}

function readTls({ ca, cert, key, ...others }: TlsSettings): ConnectionOptions {
  return {
    ...others,
    ...(ca !== undefined && { ca: readFileSync(ca.file) }),
    ...(cert !== undefined && { cert: readFileSync(cert.file) }),
    ...(key !== undefined && { key: readFileSync(key.file) }),
  }
}

function parseObject<T>(value: unknown, where: string, known: Readonly<Record<string, Check>>): T {
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${where} must be an object, got ${describeType(value)}`)
  const given = Object.entries(value).filter(([, each]) => each !== undefined)
  const unknown = given.map(([name]) => name).filter((name) => !Object.hasOwn(known, name))
  if (unknown.length > 0) {
    throw new TypeError(`${where} has unknown ${unknown.join(', ')}: it takes ${Object.keys(known).join(', ')}`)
  }
  return Object.freeze(
    Object.fromEntries(given.map(([name, each]) => [name, known[name]?.(each, `${where}.${name}`)])),
  ) as T
}

function parseText(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TypeError(`${where} must be a text, got ${describeType(value)}`)
}

function parsePort(value: unknown, where: string): number {
  assertInteger(where, value, 1, 65_535)
  return value
}

function parseSwitch(value: unknown, where: string): boolean {
  assertBoolean(where, value)
  return value
}

function parseTls(value: unknown, where: string): boolean | TlsSettings {
  return typeof value === 'boolean' ? value : parseObject<TlsSettings>(value, where, tlsChecks)
}

function parseFile(value: unknown, where: string): { file: string } {
  const file = (value as { file?: unknown } | null)?.file
  if (typeof file === 'string' && file !== '') return Object.freeze({ file })
  throw new TypeError(`${where} must be { file: '/path' }`)
}
