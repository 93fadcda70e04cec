import type { Client, ClientConfig } from 'pg'
import { copyConfig } from '../topology/hidden-secrets.ts'
import { onClearTextRequest } from './pg-internals.ts'

/*
 * What stands between a server and the connections to it, when somebody else than the caller says how it is reached. What
 * can change or be missing without a word, such as the files of TLS, is looked at for each connection. The gate travels
 * inside the configuration, so that whoever opens connections by it, or by a copy, passes the gate first.
 */

/** Says how a connection is opened that is opened now. */
export interface ConnectionGate {
  /**
   * What `pg` gets beside the rest of the configuration.
   *
   * @throws `HV_SERVER_UNUSABLE`
   */
  pass(): PassedConfig
  /** The error of a server that wants the password in clear text on a connection without TLS. */
  clearTextError(): Error
}

/** What a gate adds to a configuration; undefined for what `pg` does by itself. */
export interface PassedConfig {
  readonly ssl: ClientConfig['ssl'] | undefined
  readonly password: (() => Promise<string>) | undefined
}

/** Where a configuration has its gate. It is enumerable, so that a copy has it too; a symbol, so that `pg` does not see it. */
export const GATE: unique symbol = Symbol('hv_gate')

/** The gate of a configuration, if it has one. */
export function gateOf(clientConfig: object): ConnectionGate | undefined {
  return (clientConfig as { readonly [GATE]?: ConnectionGate })[GATE]
}

/**
 * The configuration for a connection that is opened now.
 *
 * @throws `HV_SERVER_UNUSABLE`
 */
export function passGate(clientConfig: ClientConfig): ClientConfig {
  const passed = gateOf(clientConfig)?.pass()
  return passed === undefined ? clientConfig : { ...copyConfig(clientConfig), ...passed }
}

/** Lets a client behind a gate send no password in clear text without TLS. To be called before it connects. */
export function guardPassword(client: Client, gate: ConnectionGate | undefined): void {
  if (gate === undefined) return
  onClearTextRequest(client, () => Promise.reject(gate.clearTextError()))
}
