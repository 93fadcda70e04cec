import { setImmediate as nextTurn } from 'node:timers/promises'
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { HypervaultError } from '../../../errors.ts'
import { shardSchema } from '../../../key/shard-id.ts'
import type { Lease } from '../../../pool/lease.ts'
import { readControl } from '../../../sql/statement-text.ts'
import type { MigrationShard } from '../migration.ts'

/** Statements that may follow one upon the other behind an `up` that has returned; a program could go on for ever. */
const MAX_ROUNDS = 1_000

/** Knows whether anybody has taken note of its end: `await` of a subclass goes through its `then`. */
class ObservedPromise<T> extends Promise<T> {
  isObserved = false

  override then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.isObserved = true
    return super.then(onFulfilled, onRejected)
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** Waits for the end without being seen to. */
  watch(): Promise<PromiseSettledResult<T>> {
    return super.then(
      (value) => ({ status: 'fulfilled' as const, value }),
      (reason: unknown) => ({ status: 'rejected' as const, reason }),
    )
  }
}

/*
 * The shard as a program sees it. What the program has sent and not awaited when it returns would be recorded as done
 * although nobody knows how it ends, so the migration fails then:
 *
 *   still under way when `up` returns     HV_MIGRATION_UNAWAITED, behind its end and that of what it leads to
 *   failed, and nobody has awaited it     what it has failed with
 *   sent when all of that was over        refused with HV_MIGRATION_UNAWAITED; the migration fails if that can still be
 */

/** What the `up` of a migration is given, and whether all that it has begun has ended. */
export class ShardHandle implements MigrationShard {
  readonly shardId: number
  readonly serverId: string
  readonly schema: string
  readonly #lease: Lease
  readonly #isTransactional: boolean
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #unnoticed: { readonly promise: ObservedPromise<unknown>; readonly error: unknown }[] = []
  #isOver = false
  #late = 0

  constructor(shardId: number, lease: Lease, { isTransactional }: { readonly isTransactional: boolean }) {
    this.shardId = shardId
    this.serverId = lease.serverId
    this.schema = shardSchema(shardId)
    this.#lease = lease
    this.#isTransactional = isTransactional
  }

  query<R extends QueryResultRow>(query: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>> {
    const promise = new ObservedPromise<QueryResult<R>>((resolve) => resolve(this.#send<R>(query, values)))
    const watched: Promise<unknown> = promise.watch().then((end) => {
      this.#underWay.delete(watched)
      if (end.status === 'rejected') this.#unnoticed.push({ promise, error: end.reason })
    })
    this.#underWay.add(watched)
    return promise
  }

  /** Runs the program. Resolves or rejects when nothing of it is under way any more. */
  async run(up: (shard: MigrationShard) => Promise<void> | void): Promise<void> {
    try {
      await up(this)
      // What was begun and has not come as far as a statement, as in a query builder, does so in this turn.
      await nextTurn()
    } catch (error) {
      await this.#settle()
      throw error
    }
    this.#late = this.#underWay.size
    await this.#settle()
    this.assertAwaited()
  }

  /** Throws what came to light since the program has returned. */
  assertAwaited(): void {
    const failed = this.#unnoticed.find(({ promise }) => !promise.isObserved)
    if (this.#late > 0) throw this.#unawaited(this.#late, failed?.error)
    if (failed !== undefined) throw failed.error
  }

  /** Takes what follows upon what is under way as well: refused, it would be a rejection that nobody handles. */
  async #settle(): Promise<void> {
    for (let round = 0; this.#underWay.size > 0 && round < MAX_ROUNDS; round += 1) {
      await Promise.all(this.#underWay)
      await nextTurn()
    }
    this.#isOver = true
    await Promise.all(this.#underWay)
  }

  async #send<R extends QueryResultRow>(
    query: string | QueryConfig,
    values: readonly unknown[] | undefined,
  ): Promise<QueryResult<R>> {
    if (this.#isOver) {
      this.#late += 1
      throw this.#unawaited(1, undefined)
    }
    this.#lease.assertHeld()
    const text = typeof query === 'string' ? query : query.text
    if (this.#isTransactional && readControl(text).controls) {
      throw new Error('a migration runs in its own transaction: it can neither begin nor end one')
    }
    // Bound: `statement_timeout` in the session; the watch of the server cuts the connection if it is silent.
    return this.#lease.client.query<R>(query as QueryConfig, values && [...values])
  }

  #unawaited(statements: number, cause: unknown): HypervaultError<'HV_MIGRATION_UNAWAITED'> {
    const { shardId } = this
    const what = statements === 1 ? 'a statement' : `${statements} statements`
    const message = `the function up of a migration returned without awaiting ${what} in shard ${shardId}`
    return new HypervaultError(
      'HV_MIGRATION_UNAWAITED',
      message,
      { shardId, statements },
      cause === undefined ? {} : { cause },
    )
  }
}
