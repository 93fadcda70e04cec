import { HypervaultError } from '../errors.ts'
import type { Lease } from '../pool/lease.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import { lendConnection, type ShardConnection } from './shard-connection.ts'

/** Knows the connections that one datastore has lent to its callers. */
export class ConnectionDesk {
  readonly #lent = new WeakSet<object>()
  readonly #log: StatementLog

  constructor(log: StatementLog) {
    this.#log = log
  }

  lend(lease: Lease, shardId: number): ShardConnection {
    const connection = lendConnection(lease, shardId, this.#log)
    this.#lent.add(connection)
    return connection
  }

  /**
   * Takes a connection back.
   *
   * @throws `HV_CONNECTION_FOREIGN` for anything that was not lent here, `HV_CONNECTION_RETURNED` the second time
   */
  takeBack(connection: unknown): void {
    if (typeof connection !== 'object' || connection === null || !this.#lent.has(connection)) {
      throw new HypervaultError('HV_CONNECTION_FOREIGN', 'this datastore did not lend what putConnection() got', {})
    }
    ;(connection as ShardConnection).release()
  }
}
