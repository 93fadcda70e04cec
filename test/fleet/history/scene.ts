import type { Datastore } from '../../../src/index.ts'
import type { EntityStory } from './entity-story.ts'
import { WriteBook } from './write-book.ts'

/** Two entities of one shard that are changed together, in a transaction: whoever reads both sees the same version. */
export interface StoryPair {
  readonly left: EntityStory
  readonly right: EntityStory
}

/** Table of a shard that belongs to the application: each token once, and nothing in the database sees to it. */
export function ledgerOf(shardId: number): string {
  return `shard000${shardId}.ledger`
}

/** What all who take part in a history share. Whatever cannot be is a violation. */
export class HistoryScene {
  readonly shardIds: readonly number[]
  readonly datastores: readonly Datastore[]
  readonly book = new WriteBook()
  readonly stories: EntityStory[] = []
  readonly pairs: StoryPair[] = []
  readonly violations: string[] = []
  /** How often each outcome was seen. */
  readonly seen = new Map<string, number>()

  constructor(shardIds: readonly number[], datastores: readonly Datastore[]) {
    this.shardIds = shardIds
    this.datastores = datastores
  }

  see(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  violate(what: string | undefined): void {
    if (what !== undefined) this.violations.push(what)
  }
}
