import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { Datastore, Entity } from '../../../src/index.ts'
import { kyselyFor } from '../../../src/kysely.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { EntityStory } from './entity-story.ts'
import type { HistoryScene, StoryPair } from './scene.ts'
import { codeOf, judgeFailure } from './write-book.ts'

interface Tables {
  ledger: { token: string }
}

/** Most entities of one worker: small shards move fast, and are read often. */
const MAX_OWN = 60

/** Somebody who puts, changes, deletes, reads and scans at random on one datastore, and looks whether that can be. */
export class Worker {
  readonly #scene: HistoryScene
  readonly #db: Datastore
  readonly #home: number
  readonly #random: SeededRandom
  readonly #name: string
  readonly #own: EntityStory[] = []
  readonly #pairs: StoryPair[] = []
  #count = 0

  constructor(scene: HistoryScene, home: number, random: SeededRandom, name: string) {
    this.#scene = scene
    this.#home = home
    this.#db = scene.datastores[home] as Datastore
    this.#random = random
    this.#name = name
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#actOnce()
      // A writer that never pauses may write faster than any stream can follow.
      await sleep(2 + this.#random.below(12))
    }
  }

  #actOnce(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 15) return this.#put()
    if (choice < 35) return this.#update()
    if (choice < 40) return this.#delete()
    if (choice < 60) return this.#read()
    if (choice < 72) return this.#changePair()
    if (choice < 82) return this.#readPair()
    if (choice < 95) return this.#writeLedger()
    return this.#scan()
  }

  async #put(): Promise<void> {
    if (this.#own.length >= MAX_OWN) return this.#delete()
    const shardId = this.#random.pick(this.#scene.shardIds)
    const token = this.#begin(shardId)
    const key = await this.#write('put', () => this.#db.put(shardId, 1, { token, n: '1' }), [token])
    if (key !== undefined) this.#keep(new EntityStory(key, token, this.#home))
  }

  async #update(): Promise<void> {
    const story = this.#pickOwn()
    if (story === undefined) return this.#put()
    const version = story.issue()
    await this.#change('update', [story], version, async () => {
      const { status } = await this.#db.update(story.key, { set: { n: String(version) } })
      if (status !== 'changed') this.#scene.violate(`an update found ${status}: ${story.token}`)
    })
  }

  async #delete(): Promise<void> {
    const story = this.#pickOwn()
    if (story === undefined) return this.#put()
    this.#own.splice(this.#own.indexOf(story), 1)
    const version = story.issue(true)
    this.#scene.book.settle(story.token, 'maybe')
    await this.#change('delete', [story], version, async () => {
      if (!(await this.#db.delete(story.key))) this.#scene.violate(`nothing to delete: ${story.token}`)
    })
    if (!story.isOver) this.#own.push(story)
  }

  async #changePair(): Promise<void> {
    const pair = this.#pairs.length < 5 ? undefined : this.#random.pick(this.#pairs)
    if (pair === undefined) return this.#putPair()
    const both = [pair.left, pair.right]
    const [version = 0] = both.map((story) => story.issue())
    await this.#change('transaction', both, version, () =>
      this.#db.transaction(pair.left.key.shardId, async (tx) => {
        for (const { key, token } of both) {
          const { status } = await tx.update(key, { set: { n: String(version) } })
          if (status !== 'changed') this.#scene.violate(`a transaction found ${status}: ${token}`)
        }
      }),
    )
  }

  async #putPair(): Promise<void> {
    const shardId = this.#random.pick(this.#scene.shardIds)
    const tokens = [this.#begin(shardId), this.#begin(shardId)]
    const put = (): Promise<EntityStory[]> =>
      this.#db.transaction(shardId, async (tx) => {
        const keys = await tx.putMany(
          2,
          tokens.map((token) => ({ token, n: '1' })),
        )
        return keys.map((key, index) => new EntityStory(key, tokens[index] ?? '', this.#home))
      })
    const [left, right] = (await this.#write('transaction', put, tokens)) ?? []
    if (left === undefined || right === undefined) return
    this.#pairs.push({ left, right })
    this.#scene.pairs.push({ left, right })
    this.#scene.stories.push(left, right)
  }

  async #writeLedger(): Promise<void> {
    const shardId = this.#random.pick(this.#scene.shardIds)
    const token = this.#begin(shardId)
    const kysely = kyselyFor<Tables>(this.#db.shard(shardId))
    await this.#write('Kysely', () => kysely.insertInto('ledger').values({ token }).execute(), [token])
  }

  async #read(): Promise<void> {
    const { stories } = this.#scene
    const some = Array.from({ length: 1 + this.#random.below(4) }, () => stories[this.#random.below(stories.length)])
    await this.#lookAt(some.filter((story) => story !== undefined))
  }

  async #readPair(): Promise<void> {
    const { pairs } = this.#scene
    const pair = pairs[this.#random.below(pairs.length)]
    if (pair === undefined) return
    const [left, right] = await this.#lookAt([pair.left, pair.right])
    if (left !== undefined && right !== undefined && left.body.n !== right.body.n)
      this.#scene.violate(`half of a transaction: ${pair.left.token} ${left.body.n}, ${right.body.n}`)
  }

  async #lookAt(stories: readonly EntityStory[]): Promise<readonly (Entity | undefined)[]> {
    const floors = stories.map((story) => story.floorFor(this.#home))
    return await this.#whatever('read', async () => {
      const found = await this.#db.getMany(stories.map(({ key }) => key))
      stories.forEach((story, index) => {
        this.#scene.violate(story.judge(found[index], this.#home, floors[index] ?? { version: 0 }))
      })
      return found
    })
  }

  /** What is there for the whole time of a scan is given once. */
  async #scan(): Promise<void> {
    const shardId = this.#random.pick(this.#scene.shardIds)
    const stories = this.#scene.stories.filter(({ key }) => key.shardId === shardId)
    const floors = stories.map((story) => story.floorFor(this.#home))
    await this.#whatever('scan', async () => {
      const found = new Map<bigint, Entity>()
      for await (const entity of this.#db.scan({ shards: [shardId], pageSize: 50 })) {
        if (found.has(entity.key.id)) this.#scene.violate(`twice in a scan: ${entity.key}`)
        found.set(entity.key.id, entity)
      }
      stories.forEach((story, index) => {
        this.#scene.violate(story.judge(found.get(story.key.id), this.#home, floors[index] ?? { version: 0 }))
      })
      return []
    })
  }

  #begin(shardId: number): string {
    const token = `${this.#name}-${this.#count++}`
    this.#scene.book.begin(token, shardId)
    return token
  }

  #keep(story: EntityStory): void {
    this.#own.push(story)
    this.#scene.stories.push(story)
  }

  #pickOwn(): EntityStory | undefined {
    return this.#own[this.#random.below(this.#own.length)]
  }

  /** Writes rows that are there once, or not at all. */
  async #write<T>(what: string, work: () => Promise<T>, tokens: readonly string[]): Promise<T | undefined> {
    const settle = (fate: 'stored' | 'maybe' | 'absent'): void =>
      tokens.forEach((token) => this.#scene.book.settle(token, fate))
    try {
      const result = await work()
      settle('stored')
      this.#scene.see(`${what} acknowledged`)
      return result
    } catch (error) {
      settle(this.#judge(what, error) === 'nothing' ? 'absent' : 'maybe')
      return undefined
    }
  }

  /** Changes entities, all to the same version. */
  async #change(
    what: string,
    stories: readonly EntityStory[],
    version: number,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work()
      for (const story of stories) story.acknowledge(version)
      this.#scene.see(`${what} acknowledged`)
    } catch (error) {
      if (this.#judge(what, error) === 'nothing') for (const story of stories) story.refuse(version)
    }
  }

  async #whatever(
    what: string,
    read: () => Promise<readonly (Entity | undefined)[]>,
  ): Promise<readonly (Entity | undefined)[]> {
    try {
      const found = await read()
      this.#scene.see(`${what} answered`)
      return found
    } catch (error) {
      this.#judge(what, error)
      return []
    }
  }

  #judge(what: string, error: unknown): 'nothing' | 'unknown' {
    const code = codeOf(error)
    this.#scene.see(`${what} failed: ${code}`)
    const end = judgeFailure(error)
    if (end === undefined) this.#scene.violate(`${what} failed with ${code}: ${inspect(error, { depth: 3 })}`)
    return end ?? 'unknown'
  }
}
