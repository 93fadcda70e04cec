import { HypervaultError } from '../errors.ts'
import { onAbort } from '../pool/abort-group.ts'
import { deferred } from '../pool/deferred.ts'
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
   * Lends a connection for the time of `work`, and resolves to what `work` returns. The signal ends it: the connection is cut,
   * and the call rejects with the reason, whatever `work` is waiting for.
   */
  async lendFor<T>(
    lease: Lease,
    { shardId, signal }: { readonly shardId: number; readonly signal: AbortSignal | undefined },
    work: (connection: ShardConnection) => T | Promise<T>,
  ): Promise<T> {
    await using connection = this.lend(lease, shardId)
    signal?.throwIfAborted()
    // Bound: as in pg, what the caller sets; and the signal.
    const ended = deferred<never>()
    using _ = onAbort(signal, (reason) => {
      if (!lease.isReturned) lease.destroy()
      ended.reject(reason)
    })
    return await Promise.race([work(connection), ended.promise])
  }

  /**
   * Takes a connection back.
   *
   * @throws `HV_CONNECTION_FOREIGN` for anything that was not lent here, `HV_CONNECTION_RETURNED` the second time
   */
  takeBack(connection: unknown): void {
    if (typeof connection !== 'object' || connection === null || !this.#lent.has(connection)) {
      throw new HypervaultError(
        'HV_CONNECTION_FOREIGN',
        'putConnection() got a connection that this datastore did not hand out',
        {},
      )
    }
    ;(connection as ShardConnection).release()
  }
}
