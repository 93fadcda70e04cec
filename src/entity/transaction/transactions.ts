import { assertFunction } from '../../arguments/arguments.ts'
import type { ShardSite } from '../../shard/shard-site.ts'
import { runTransaction } from '../../shard/transaction/run-transaction.ts'
import { resolveTransactionOptions, type TransactionOptions } from '../../shard/transaction/transaction-options.ts'
import type { EntityGround } from '../entity-ground.ts'
import type { KindRegistry } from '../kind/kind-registry.ts'
import { SessionEntities } from '../session-entities.ts'
import type { ServerSite } from '../site/server-site.ts'
import { Transaction } from './transaction.ts'

/** Begins transactions in shards, on whatever server holds them. */
export class Transactions {
  readonly #ground: EntityGround
  readonly #kinds: KindRegistry

  constructor(ground: EntityGround, kinds: KindRegistry) {
    this.#ground = ground
    this.#kinds = kinds
  }

  /** Runs work in a transaction: see `Datastore.transaction`. */
  async run<T>(shardId: number, work: (tx: Transaction) => T | Promise<T>, options: TransactionOptions): Promise<T> {
    assertFunction('work', work)
    const resolved = resolveTransactionOptions(options)
    return runTransaction(this.siteOf(shardId), resolved, async (scope, session, server) => {
      const entities = new SessionEntities(session, server, this.#ground.settings)
      return work(new Transaction(scope, entities, this.#kinds))
    })
  }

  /** What work in a shard has to go on. */
  siteOf(shardId: number): ShardSite<ServerSite> {
    const { siteOf, log, follower, settings } = this.#ground
    const { statementTimeoutMs, waitTimeoutMs } = settings
    return { shardId, log, follower, statementTimeoutMs, waitTimeoutMs, findHome: () => siteOf(shardId) }
  }
}
