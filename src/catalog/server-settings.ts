import { assertBoolean, assertInteger, describeType } from '../arguments/arguments.ts'
import { parseSecretReference, type SecretReference } from './secret.ts'

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

/** Settings as a catalog has them, and what of them this release can do nothing with. */
export interface FoundSettings {
  /** What could be read. */
  readonly settings: ServerSettings
  /** Names of settings that this release does not know, such as those of a newer one. */
  readonly ignored?: readonly string[]
  /** Why nothing can be connected to by them. */
  readonly problem?: string
}

/** Settings that say where a server is, in a way that a catalog does not hold: to ignore them would lead elsewhere. */
const misplaced = ['connectionString']

/**
 * Reads the settings that a catalog has. What is wrong with them concerns their server only, so it is told and not thrown.
 * A setting that is not known is ignored, unless it may say where the server is.
 */
export function readServerSettings(value: unknown): FoundSettings {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return Object.freeze({ settings: {}, problem: `its settings must be an object, got ${describeType(value)}` })
  }
  const { ssl, ...others } = value as Record<string, unknown>
  const outer = splitKnown(others, checks)
  const inner = typeof ssl === 'object' && ssl !== null ? splitKnown(ssl, tlsChecks) : { known: ssl, unknown: [] }
  const ignored = [...outer.unknown, ...inner.unknown.map((name) => `ssl.${name}`)]
  const read = readEach({ ...outer.known, ...(ssl !== undefined && { ssl: inner.known }) })
  const problem = read.problem ?? findMisleading(read.settings, outer.unknown)
  return Object.freeze({
    settings: read.settings,
    ...(ignored.length > 0 && { ignored: Object.freeze(ignored) }),
    ...(problem !== undefined && { problem }),
  })
}

/** Without a host, and with a setting that may have taken its place, the settings would lead to this machine. */
function findMisleading({ host }: ServerSettings, unknown: readonly string[]): string | undefined {
  const wrong = unknown.filter((name) => misplaced.includes(name))
  if (wrong.length > 0) return `it has ${wrong.join(', ')}, which a catalog does not hold`
  if (host !== undefined || unknown.length === 0) return undefined
  return `it has no host, and ${unknown.join(', ')}, which this release does not know and which may name one`
}

function splitKnown(value: object, known: object): { known: Record<string, unknown>; unknown: string[] } {
  const entries = Object.entries(value)
  return {
    known: Object.fromEntries(entries.filter(([name]) => Object.hasOwn(known, name))),
    unknown: entries.map(([name]) => name).filter((name) => !Object.hasOwn(known, name)),
  }
}

/** Each by itself, so that one that is wrong leaves the others to be shown. */
function readEach(value: Record<string, unknown>): Pick<FoundSettings, 'settings' | 'problem'> {
  const read: object[] = []
  const problems: string[] = []
  for (const [name, each] of Object.entries(value)) {
    try {
      read.push(parseObject({ [name]: each }, 'its settings', checks))
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  const settings = Object.freeze(Object.assign({}, ...read) as ServerSettings)
  return problems.length === 0 ? { settings } : { settings, problem: problems.join('; ') }
}

function parseObject<T>(value: unknown, where: string, known: Readonly<Record<string, Check>>): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
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
