import type { Migration } from '../migration.ts'

/** What is left to do in one shard. */
export interface ShardTask {
  readonly shardId: number
  /** At least one. */
  readonly pending: readonly [Migration, ...Migration[]]
  /** How often its first migration was tried while somebody else held the shard. */
  readonly tries: number
  /** `performance.now()` of the first of these tries. */
  readonly heldSince: number | undefined
}

/** A task for a shard; undefined when nothing is left to do. */
export function taskOf(shardId: number, migrations: readonly Migration[]): ShardTask | undefined {
  const [first, ...others] = migrations
  if (first === undefined) return undefined
  const pending: ShardTask['pending'] = [first, ...others]
  return Object.freeze({ shardId, pending, tries: 0, heldSince: undefined })
}

interface DelayedTask {
  readonly task: ShardTask
  readonly at: number
}

/** Tasks in their order, and those that are to be asked for again only after a pause. */
export class TaskQueue {
  readonly #ready: ShardTask[] = []
  #delayed: DelayedTask[] = []

  /** Appends tasks. */
  append(tasks: readonly ShardTask[]): void {
    this.#ready.push(...tasks)
  }

  /** Puts tasks first: who has begun with a shard goes on with it. */
  prepend(tasks: readonly ShardTask[]): void {
    this.#ready.unshift(...tasks)
  }

  /** Puts a task off. */
  delay(task: ShardTask, pauseMs: number): void {
    this.#delayed.push({ task, at: performance.now() + pauseMs })
  }

  /** Takes the first task, and of those behind it as many as have the same migration first and as `sizeOf` allows. */
  take(sizeOf: (migration: Migration) => number): ShardTask[] {
    this.#wake()
    const [first] = this.#ready
    if (first === undefined) return []
    const [migration] = first.pending
    const size = sizeOf(migration)
    const end = this.#ready.findIndex((task, index) => index >= size || task.pending[0] !== migration)
    return this.#ready.splice(0, end === -1 ? this.#ready.length : end)
  }

  /** Time until the next task that was put off is ready; undefined if there is none. */
  get delayMs(): number | undefined {
    if (this.#delayed.length === 0) return undefined
    return Math.max(0, Math.min(...this.#delayed.map(({ at }) => at)) - performance.now())
  }

  /** Takes all tasks that are left. */
  drain(): ShardTask[] {
    return [...this.#ready.splice(0), ...this.#delayed.splice(0).map(({ task }) => task)]
  }

  #wake(): void {
    const now = performance.now()
    this.#ready.push(...this.#delayed.filter(({ at }) => at <= now).map(({ task }) => task))
    this.#delayed = this.#delayed.filter(({ at }) => at > now)
  }
}
