import { setImmediate } from 'node:timers/promises'
import { Key, type Body, type Datastore, type EntityOptions } from '../../../src/index.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { bodyOf } from '../../hstore/arbitrary-body.ts'
import type { HistoryModel, PutRecord } from './model.ts'
import { refusals, SHARDS } from './ground.ts'

/** A signal that many calls share, and the reason that it is aborted for. */
export interface SharedAbort {
  readonly controller: AbortController
  readonly reason: Error
}

/** What a caller works with. */
export interface CallerGround {
  readonly random: SeededRandom
  readonly datastores: readonly Datastore[]
  readonly model: HistoryModel
  /** The signal that is shared now. */
  readonly shared: () => SharedAbort
  /** Begins all tokens. */
  readonly name: string
}

/** How a call ends early, if it does. */
interface Leaving {
  readonly options: EntityOptions
  readonly reason: unknown
  readonly wasAborted: boolean
  /** Aborts when it is time; called right after the call. */
  go(): void
}

const names = ['a', '', 'x=>y', '"q"', "it's", 'back\\slash', '__proto__', 'naïve 東 🏔', 'NULL']
const texts = [null, '', '1', 'NULL', '\\', '"', '{a,b}', '東京', 'x'.repeat(3_000)]

/** Bodies that no put can store, with what it throws. */
const bad: readonly [Body, typeof TypeError | typeof RangeError][] = [
  [{ nul: 'a\0b' }, RangeError],
  [{ half: '\ud800' }, RangeError],
  [{ 'a\0': 'b' }, RangeError],
  [{ number: 7 as never }, TypeError],
  [[] as never, TypeError],
]

/** Somebody who puts and gets at random, and tells the model. */
export class Caller {
  readonly #ground: CallerGround
  readonly #random: SeededRandom
  readonly #model: HistoryModel
  #puts = 0

  constructor(ground: CallerGround) {
    this.#ground = ground
    this.#random = ground.random
    this.#model = ground.model
  }

  /** Does so many things, some of which are many calls at once. */
  async run(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      const size = this.#random.chance(0.15) ? 5 + this.#random.below(150) : 1
      await Promise.all(Array.from({ length: size }, () => this.#callAnything()))
    }
  }

  #callAnything(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 50) return this.#put()
    if (choice < 55) return this.#putBad()
    if (choice < 90) return this.#get()
    return this.#getMany()
  }

  async #put(): Promise<void> {
    const { record, given } = this.#newPut()
    const leaving = this.#mayLeave()
    try {
      const stored = this.#datastore().put(record.shardId, record.kind, given, leaving.options)
      // What is stored is what the body was at the call.
      given.token = 'changed afterwards'
      leaving.go()
      this.#model.acknowledge(record, await stored)
    } catch (error) {
      const terms = { reason: leaving.reason, isWrite: true, refusal: record.refusal }
      this.#model.fail(record, error, terms, leaving.wasAborted)
    }
  }

  async #putBad(): Promise<void> {
    const [body, type] = this.#random.pick(bad)
    try {
      const { batch } = this.#mayLeave().options
      const key = await this.#datastore().put(this.#random.pick(SHARDS), 1, body, { batch })
      this.#model.violate('a bad body was stored', { key, body })
    } catch (error) {
      this.#model.judgeRejected(error, type)
    }
  }

  async #get(): Promise<void> {
    const { key, record } = this.#anyKey()
    await this.#read(async (db, options) => this.#model.judgeEntity(await db.get(key, options), record))
  }

  async #getMany(): Promise<void> {
    const wanted = Array.from({ length: this.#random.below(60) }, () => this.#anyKey())
    const keys = wanted.map(({ key }) => key)
    await this.#read(async (db, options) => {
      const entities = await db.getMany(keys, options)
      wanted.forEach(({ record }, place) => this.#model.judgeEntity(entities[place], record))
    })
  }

  async #read(read: (db: Datastore, options: EntityOptions) => Promise<void>): Promise<void> {
    const leaving = this.#mayLeave()
    try {
      const done = read(this.#datastore(), leaving.options)
      leaving.go()
      await done
    } catch (error) {
      this.#model.judgeFailure(error, { reason: leaving.reason, isWrite: false })
    }
  }

  #newPut(): { record: PutRecord; given: Record<string, string | null> } {
    const shardId = this.#random.pick(SHARDS)
    const refusal = this.#random.chance(0.1) ? refusals[shardId] : undefined
    const token = `${this.#ground.name}-${this.#puts++}`
    const extras = Array.from({ length: this.#random.below(4) }, () => this.#random.pick(names))
    const pairs = extras.map((name) => [name, this.#random.pick(texts)] as const)
    const body = bodyOf([...pairs, ['token', token], ...(refusal ? [['evil', '1'] as const] : [])])
    const kind = this.#random.pick([-32_768, 0, 1, 32_767])
    return { record: this.#model.begin(token, { shardId, kind, body, refusal }), given: { ...body } }
  }

  /** Mostly the key of an entity that is there, sometimes one of the far future. */
  #anyKey(): { key: Key; record: PutRecord | undefined } {
    const record = this.#random.chance(0.9) ? this.#model.storedAt(this.#random.below(2 ** 31)) : undefined
    const addedId = this.#random.below(1_024)
    const key =
      record?.key ?? Key.from({ created: new Date('2080-01-01'), shardId: this.#random.pick(SHARDS), addedId })
    return { key, record }
  }

  #datastore(): Datastore {
    return this.#random.pick(this.#ground.datastores)
  }

  /** Most calls stay to their end; the others leave before they begin, soon, or together with others. */
  #mayLeave(): Leaving {
    const batch = this.#random.pick([undefined, undefined, undefined, true, false])
    const choice = this.#random.below(100)
    if (choice < 80) return { options: { batch }, reason: undefined, wasAborted: false, go: () => undefined }
    if (choice < 90) {
      const { controller, reason } = this.#ground.shared()
      const { signal } = controller
      return { options: { batch, signal }, reason, wasAborted: signal.aborted, go: () => undefined }
    }
    const reason = new Error('a reason of its own')
    const controller = new AbortController()
    const wasAborted = choice >= 97
    if (wasAborted) controller.abort(reason)
    const go = (): void => void this.#pause().then(() => controller.abort(reason))
    return { options: { batch, signal: controller.signal }, reason, wasAborted, go }
  }

  /** A few turns of the event loop: in the queue, in flight, or when all is over. */
  async #pause(): Promise<void> {
    for (let turns = this.#random.below(6); turns > 0; turns -= 1) await setImmediate()
  }
}
