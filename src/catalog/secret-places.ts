import { realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, resolve, sep } from 'node:path'
import { assertArray, assertOptions, describeType } from '../arguments/arguments.ts'
import { assertHostPattern, matchesHost } from './host-pattern.ts'

/*
 * What an application lets its catalog name. Who can write the catalog says where secrets are read and to which host they
 * go; so the application says itself which files and variables may be read at all, and which hosts it knows.
 */

/** Which secrets a catalog may name, and which hosts. Each list that is given takes the place of its default. */
export interface SecretsOptions {
  /**
   * Folders whose files may be read as passwords and as keys of TLS, also in folders below them; absolute paths. Default:
   * the files that lie right in `/run/secrets`, where containers have them, without the folders in it.
   */
  readonly folders?: readonly string[] | undefined
  /**
   * How the names of the variables begin that may be read as passwords; default `HYPERVAULT_`, `HV_`, `PG_` and `PGPASSWORD`.
   * `HYPERVAULT_CATALOG` and `HYPERVAULT_CONNECTIONS` are never read.
   */
  readonly variablePrefixes?: readonly string[] | undefined
  /**
   * Hosts that servers may have: names, addresses, folders of sockets, or patterns such as `*.db.internal`, in which a `*` at
   * the beginning stands for one or more labels, and elsewhere for a part of one. Default: every host.
   */
  readonly hosts?: readonly string[] | undefined
}

/** Files that lie right here may be read by default; folders in it have tokens of other kinds. */
const DEFAULT_FOLDER = '/run/secrets'

const DEFAULT_PREFIXES = ['HYPERVAULT_', 'HV_', 'PG_', 'PGPASSWORD']

/** They hold passwords that the catalog has nothing to do with, its own among them. */
const neverRead: ReadonlySet<string> = new Set(['HYPERVAULT_CATALOG', 'HYPERVAULT_CONNECTIONS'])

/** A secret, or a host, that the application does not allow. */
export class RefusedSecret extends Error {
  /** What to write into the option. */
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.remedy = remedy
  }
}

/** The option with its defaults. */
export class SecretPlaces {
  readonly #folders: readonly string[] | undefined
  readonly #prefixes: readonly string[]
  readonly #hosts: readonly string[] | undefined

  /** Throws TypeError or RangeError that names the option. */
  constructor(options: SecretsOptions = {}) {
    assertOptions('secrets', options, ['folders', 'variablePrefixes', 'hosts'])
    const { folders, variablePrefixes = DEFAULT_PREFIXES, hosts } = options
    this.#folders = folders && readList('secrets.folders', folders, assertFolder)
    this.#prefixes = readList('secrets.variablePrefixes', variablePrefixes, assertPrefix)
    this.#hosts = hosts && readList('secrets.hosts', hosts, assertHostPattern)
  }

  /** Throws a {@link RefusedSecret} unless the variable may be read. */
  assertVariable(name: string): void {
    if (this.#prefixes.some((prefix) => name.startsWith(prefix)) && !neverRead.has(name)) return
    const message = `this application does not allow a catalog to name the variable ${name}`
    throw new RefusedSecret(message, `secrets: { variablePrefixes: ['${name}'] }`)
  }

  /** Throws a {@link RefusedSecret} unless a server may have the host. */
  assertHost(host: string): void {
    if (this.#hosts === undefined || this.#hosts.some((pattern) => matchesHost(host, pattern))) return
    const message = `this application does not allow a catalog to name the host ${host}`
    throw new RefusedSecret(message, `secrets: { hosts: ['${host}'] }`)
  }

  /**
   * The file itself, with every `..` and every link followed.
   *
   * @throws a {@link RefusedSecret} unless it may be read; what the file system throws
   */
  resolveFile(file: string): string {
    const named = resolve(file)
    try {
      const path = realpathSync(named)
      if (this.#isAllowed(named, path)) return path
    } catch (error) {
      // Of what may not be read it is not told whether it is there.
      if (this.#isAllowed(named, named)) throw error
    }
    const message = `this application does not allow a catalog to name the file ${file}`
    throw new RefusedSecret(message, `secrets: { folders: ['${dirname(named)}'] }`)
  }

  #isAllowed(named: string, path: string): boolean {
    if (isThrowAway(path)) return true
    if (this.#folders !== undefined) return this.#folders.some((folder) => isBelow(path, folder))
    return dirname(named) === DEFAULT_FOLDER && isBelow(path, DEFAULT_FOLDER)
  }
}

function isBelow(path: string, folder: string): boolean {
  const root = tryRealpath(folder) ?? folder
  return path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)
}

/** Passwords of servers for development, in the folder that only their user can have made: see `startCluster()`. */
function isThrowAway(path: string): boolean {
  const folder = dirname(path)
  if (!/^hypervault-passwords-[0-9a-f]{16}$/.test(basename(folder))) return false
  const isTemporary = [tmpdir(), '/tmp'].some((root) => tryRealpath(root) === dirname(folder))
  return isTemporary && statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.()
}

function tryRealpath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function readList(name: string, value: unknown, assert: (name: string, value: string) => void): readonly string[] {
  assertArray(name, value)
  return Object.freeze(
    (value as unknown[]).map((each, index) => {
      const where = `${name}[${index}]`
      if (typeof each !== 'string') throw new TypeError(`${where} must be a string, got ${describeType(each)}`)
      assert(where, each)
      return each
    }),
  )
}

function assertFolder(name: string, folder: string): void {
  if (!isAbsolute(folder)) throw new RangeError(`${name} must be an absolute path, got ${JSON.stringify(folder)}`)
}

/** An empty one would allow every variable. */
function assertPrefix(name: string, prefix: string): void {
  if (/^\w+$/.test(prefix)) return
  throw new RangeError(`${name} must be the beginning of the name of a variable, got ${JSON.stringify(prefix)}`)
}
