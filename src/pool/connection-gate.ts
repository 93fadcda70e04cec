import type { ClientConfig } from 'pg'
import { copyConfig } from '../topology/hidden-secrets.ts'

/*
 * What has to be read anew for each connection to a server, because it can change or be missing without a word: the files
 * of TLS. It travels inside the configuration, so that whoever opens connections by it, or by a copy, asks the gate first.
 */

/** Says how a connection is opened that is opened now. */
export interface ConnectionGate {
  /**
   * The `ssl` of a connection that is opened now; undefined for what `pg` does by itself.
   *
   * @throws `HV_SERVER_UNUSABLE`
   */
  openTls(): ClientConfig['ssl'] | undefined
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
  const gate = gateOf(clientConfig)
  if (gate === undefined) return clientConfig
  return copyConfig(clientConfig, { ssl: gate.openTls() })
}
