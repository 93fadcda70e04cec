import type { ConnectionOptions } from 'node:tls'
import type { ClientConfig } from 'pg'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import { GATE, type ConnectionGate, type PassedConfig } from '../pool/connection-gate.ts'
import { hostOf } from '../pool/pg-internals.ts'
import type { FleetServer } from './fleet-record.ts'
import { RefusedSecret, type SecretPlaces } from './secret-places.ts'
import { assertSecret, readSecret, type SecretReference } from './secret.ts'
import type { TlsSettings } from './server-settings.ts'
import { openTlsFiles } from './tls-files.ts'

/*
 * How a server of a catalog is connected to from this machine. What its row names may be missing here, be wrong, or be
 * nothing that the application allows: then this one server cannot be used, and every connection to it is refused with
 * HV_SERVER_UNUSABLE before anything is sent. Files and variables are looked at for each connection, so that what is put
 * right is used from then on.
 */

/** A server as the catalog has it: its name and its settings. */
export type AccessedServer = Pick<FleetServer, 'serverId' | 'settings' | 'problem'>

/** Why a server cannot be used. */
export type Unusable = HypervaultError<'HV_SERVER_UNUSABLE'>

/** Hears what is wrong with a server, and undefined when nothing is. */
export type OnVerdict = (serverId: string, error: Unusable | undefined) => void

/** What `pg` takes for a password when none is named, as `libpq` does. */
const DEFAULT_VARIABLE = 'PGPASSWORD'

/** What a server of a catalog asks of this machine. */
export class ServerAccess implements ConnectionGate {
  /** What `pg` needs to connect. The password is read anew for each connection, so it can be changed in place. */
  readonly clientConfig: ClientConfig
  readonly #server: AccessedServer
  readonly #places: SecretPlaces
  readonly #onVerdict: OnVerdict

  constructor(server: AccessedServer, places: SecretPlaces, onVerdict: OnVerdict = () => undefined) {
    this.#server = server
    this.#places = places
    this.#onVerdict = onVerdict
    const { password, ssl, ...others } = server.settings
    this.clientConfig = Object.freeze({
      ...others,
      ...(password !== undefined && { password: () => this.#readPassword(password) }),
      ...(ssl !== undefined && { ssl: typeof ssl === 'boolean' ? ssl : withoutFiles(ssl) }),
      [GATE]: this,
    })
  }

  pass(): PassedConfig {
    return this.#judge(() => {
      this.#assertSettings()
      const { ssl, password: named } = this.#server.settings
      if (named !== undefined) this.#assertAllowed(named)
      const password = named ?? this.#defaultPassword
      return {
        ssl: typeof ssl === 'object' ? openTlsFiles(ssl, this.#places) : ssl,
        password: password && (() => this.#readPassword(password)),
      }
    })
  }

  clearTextError(): Unusable {
    const reason = 'it asks for the password in clear text on a connection without TLS'
    const hint = `Set scram-sha-256 in its pg_hba.conf, or use TLS: npx pg-hypervault server set ${this.#server.serverId} --ssl`
    const error = this.#unusable(reason, { hint })
    this.#onVerdict(this.#server.serverId, error)
    return error
  }

  /** The password, for whoever sends it elsewhere; undefined for a server without one. Throws `HV_SERVER_UNUSABLE`. */
  async findPassword(): Promise<string | undefined> {
    this.#judge(() => this.#assertSettings())
    const { password } = this.#server.settings
    return password && (await this.#readPassword(password))
  }

  /** Looks whether what a connection needs is there, and tells the verdict. */
  check(): void {
    const { serverId, settings } = this.#server
    const { password } = settings
    try {
      this.pass()
      if (password !== undefined) this.#judge(() => assertSecret(password, this.#places))
      this.#onVerdict(serverId, undefined)
    } catch (error) {
      if (!isHypervaultError(error)) throw error
    }
  }

  /** The variable that `pg` would read by itself, for which the same holds as for others. */
  get #defaultPassword(): SecretReference | undefined {
    return process.env[DEFAULT_VARIABLE] === undefined ? undefined : { env: DEFAULT_VARIABLE }
  }

  async #readPassword(reference: SecretReference): Promise<string> {
    try {
      this.#assertSettings()
      const secret = await readSecret(reference, this.#places)
      this.#onVerdict(this.#server.serverId, undefined)
      return secret
    } catch (error) {
      return this.#judge(() => {
        throw error
      })
    }
  }

  #assertSettings(): void {
    const { serverId, problem } = this.#server
    if (problem === undefined) return this.#places.assertHost(hostOf(this.clientConfig))
    const hint = `Correct its settings: npx pg-hypervault server set ${serverId} --host HOST; or use the release that wrote them.`
    throw this.#unusable(problem, { hint })
  }

  /** Before anything is sent. One that is allowed may be missing all the same, if the server does not ask for it. */
  #assertAllowed(reference: SecretReference): void {
    try {
      assertSecret(reference, this.#places)
    } catch (error) {
      if (error instanceof RefusedSecret) throw error
    }
  }

  #judge<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      const error = isHypervaultError(cause, 'HV_SERVER_UNUSABLE') ? cause : this.#refusal(cause)
      this.#onVerdict(this.#server.serverId, error)
      throw error
    }
  }

  #refusal(cause: unknown): Unusable {
    const another = `name another one: npx pg-hypervault server set ${this.#server.serverId}`
    if (!(cause instanceof RefusedSecret)) {
      return this.#unusable(describe(cause), {
        cause,
        hint: `Provide it (the next connection uses it), or ${another}`,
      })
    }
    const hint = `Check who wrote it. If it is correct, allow it with an option of Datastore.open() and Fleet.open(), or in hypervault.config: ${cause.remedy}; or ${another}`
    return this.#unusable(cause.message, { hint })
  }

  #unusable(reason: string, extras: { readonly hint?: string; readonly cause?: unknown }): Unusable {
    const { serverId } = this.#server
    const message = `server ${serverId} of the catalog cannot be used: ${reason}`
    return new HypervaultError('HV_SERVER_UNUSABLE', message, { serverId, reason }, extras)
  }
}

/** What there is of TLS before its files are read. */
function withoutFiles({ rejectUnauthorized, servername }: TlsSettings): ConnectionOptions {
  return {
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    ...(servername !== undefined && { servername }),
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
