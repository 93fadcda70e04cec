import { assertFunction } from '../../arguments/arguments.ts'
import type { StatementLog } from '../../pool/statement-log.ts'
import type { ShardFollower } from '../../shard/shard-follower.ts'
import type { ShardSite } from '../../shard/shard-site.ts'
import { runTransaction } from '../../shard/transaction/run-transaction.ts'
import { resolveTransactionOptions, type TransactionOptions } from '../../shard/transaction/transaction-options.ts'
import type { EntitySettings } from '../entity-settings.ts'
import type { KindRegistry } from '../kind/kind-registry.ts'
import { SessionEntities } from '../session-entities.ts'
import type { ServerSite } from '../site/server-site.ts'
import { Transaction } from './transaction.ts'

/** Begins transactions in shards, on whatever server holds them. */
export class Transactions {
  readonly #serverOf: (shardId: number) => ServerSite
  readonly #follower: ShardFollower
  readonly #log: StatementLog
  readonly #settings: EntitySettings
  readonly #kinds: KindRegistry

  constructor(
    serverOf: (shardId: number) => ServerSite,
    follower: ShardFollower,
    log: StatementLog,
    settings: EntitySettings,
    kinds: KindRegistry,
  ) {
    this.#serverOf = serverOf
    this.#follower = follower
    this.#log = log
    this.#settings = settings
    this.#kinds = kinds
  }

  /** Runs work in a transaction: see `Datastore.transaction`. */
  async run<T>(shardId: number, work: (tx: Transaction) => T | Promise<T>, options: TransactionOptions): Promise<T> {
    assertFunction('work', work)
    const resolved = resolveTransactionOptions(options)
    return runTransaction(this.siteOf(shardId), resolved, async (scope, session, server) => {
      const entities = new SessionEntities(session, server, this.#settings)
      return work(new Transaction(scope, entities, this.#kinds))
    })
  }

  /** What work in a shard has to go on. */
  siteOf(shardId: number): ShardSite<ServerSite> {
    const { statementTimeoutMs, waitTimeoutMs } = this.#settings
    const findHome = (): ServerSite => this.#serverOf(shardId)
    return { shardId, log: this.#log, follower: this.#follower, statementTimeoutMs, waitTimeoutMs, findHome }
  }
}
