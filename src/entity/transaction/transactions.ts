import { assertFunction } from '../../arguments.ts'
import type { StatementLog } from '../../pool/statement-log.ts'
import type { ShardFollower } from '../../shard/shard-follower.ts'
import { runTransaction, type TransactionSite } from '../../shard/transaction/run-transaction.ts'
import { resolveTransactionOptions, type TransactionOptions } from '../../shard/transaction/transaction-options.ts'
import type { EntitySettings } from '../entity-settings.ts'
import type { KindRegistry } from '../kind/kind-registry.ts'
import type { ServerSite } from '../server-site.ts'
import { SessionEntities } from '../session-entities.ts'
import { findHstoreSchema } from '../statements.ts'
import { Transaction } from './transaction.ts'

/** Begins transactions in shards, on whatever server holds them. */
export class Transactions {
  readonly #siteOf: (shardId: number) => ServerSite
  readonly #follower: ShardFollower
  readonly #log: StatementLog
  readonly #settings: EntitySettings
  readonly #kinds: KindRegistry

  constructor(
    siteOf: (shardId: number) => ServerSite,
    follower: ShardFollower,
    log: StatementLog,
    settings: EntitySettings,
    kinds: KindRegistry,
  ) {
    this.#siteOf = siteOf
    this.#follower = follower
    this.#log = log
    this.#settings = settings
    this.#kinds = kinds
  }

  /** Runs work in a transaction: see `Datastore.transaction`. */
  async run<T>(shardId: number, work: (tx: Transaction) => T | Promise<T>, options: TransactionOptions): Promise<T> {
    assertFunction('work', work)
    const resolved = resolveTransactionOptions(options)
    return runTransaction(this.#siteFor(shardId), resolved, async (scope, session) => {
      const entities = new SessionEntities(session, this.#siteOf(shardId), this.#settings)
      return work(new Transaction(scope, entities, this.#kinds))
    })
  }

  #siteFor(shardId: number): TransactionSite {
    const { statementTimeoutMs, waitTimeoutMs } = this.#settings
    return {
      shardId,
      log: this.#log,
      follower: this.#follower,
      statementTimeoutMs,
      waitTimeoutMs,
      findPool: () => this.#siteOf(shardId).pool,
      findHstoreSchema: async (session) => {
        const { hstore } = this.#siteOf(shardId)
        if (hstore.name === undefined) hstore.learn((await session.run(findHstoreSchema))[0]?.[0])
        return hstore.schema
      },
    }
  }
}
