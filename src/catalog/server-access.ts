import type { ConnectionOptions } from 'node:tls'
import type { ClientConfig } from 'pg'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import { GATE, type ConnectionGate } from '../pool/connection-gate.ts'
import type { FleetServer } from './fleet-record.ts'
import { assertSecret, readSecret, type SecretReference } from './secret.ts'
import type { TlsSettings } from './server-settings.ts'
import { openTlsFiles } from './tls-files.ts'

/*
 * How a server of a catalog is connected to from this machine. What its row names may be missing here, or be wrong: then
 * this one server cannot be used, and every connection to it is refused with HV_SERVER_UNUSABLE before anything is sent.
 * Files and variables are looked at for each connection, so that what is put right is used from then on.
 */

/** A server as the catalog has it: its name and its settings. */
export type AccessedServer = Pick<FleetServer, 'serverId' | 'settings' | 'problem'>

/** Why a server cannot be used. */
export type Unusable = HypervaultError<'HV_SERVER_UNUSABLE'>

/** Hears what is wrong with a server, and undefined when nothing is. */
export type OnVerdict = (serverId: string, error: Unusable | undefined) => void

/** What a server of a catalog asks of this machine. */
export class ServerAccess implements ConnectionGate {
  /** What \`pg\` needs to connect. The password is read anew for each connection, so it can be changed in place. */
  readonly clientConfig: ClientConfig
  readonly #server: AccessedServer
  readonly #onVerdict: OnVerdict

  constructor(server: AccessedServer, onVerdict: OnVerdict = () => undefined) {
    this.#server = server
    this.#onVerdict = onVerdict
    const { password, ssl, ...others } = server.settings
    this.clientConfig = Object.freeze({
      ...others,
      ...(password !== undefined && { password: () => this.#readPassword(password) }),
      ...(ssl !== undefined && { ssl: typeof ssl === 'boolean' ? ssl : withoutFiles(ssl) }),
      [GATE]: this,
    })
  }

  openTls(): ClientConfig['ssl'] | undefined {
    return this.#judge(() => {
      this.#assertSettings()
      const { ssl } = this.#server.settings
      return typeof ssl === 'object' ? openTlsFiles(ssl) : ssl
    })
  }

  /** The password; undefined for a server without one. Throws `HV_SERVER_UNUSABLE`. */
  async findPassword(): Promise<string | undefined> {
    this.#judge(() => this.#assertSettings())
    const { password } = this.#server.settings
    return password && (await this.#readPassword(password))
  }

  /** Looks whether what a connection needs is there, and tells the verdict. */
  check(): void {
    const { serverId, settings } = this.#server
    try {
      this.openTls()
      const { password } = settings
      if (password !== undefined) this.#judge(() => assertSecret(password))
      this.#onVerdict(serverId, undefined)
    } catch (error) {
      if (!isHypervaultError(error)) throw error
    }
  }

  async #readPassword(reference: SecretReference): Promise<string> {
    try {
      const secret = await readSecret(reference)
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
    if (problem === undefined) return
    const hint = `Correct its settings: npx pg-hypervault server set ${serverId} --host HOST; or use the release that wrote them.`
    throw this.#unusable(problem, { hint })
  }

  #judge<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      const error = isHypervaultError(cause, 'HV_SERVER_UNUSABLE') ? cause : this.#missing(cause)
      this.#onVerdict(this.#server.serverId, error)
      throw error
    }
  }

  #missing(cause: unknown): Unusable {
    const hint = `Put it there, which the next connection finds; or name another place: npx pg-hypervault server set ${this.#server.serverId}`
    return this.#unusable(describe(cause), { cause, hint })
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
