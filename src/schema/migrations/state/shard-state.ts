/** What the table of a shard says of one migration. */
export interface AppliedMigration {
  readonly id: string
  readonly name: string
  readonly checksum: string
  /** False while one without a transaction has not come to its end. */
  readonly isDone: boolean
}

/** What a server says of one shard, as far as migrations go. Facts only: `judgeShard` judges them. */
export interface ShardState {
  readonly shardId: number
  /** Whether the schema is there, with the table `entities`. */
  readonly isThere: boolean
  /** Sorted by id; undefined when the table that says so is not there. */
  readonly applied: readonly AppliedMigration[] | undefined
  /** Whether the shard is moving, or has moved and may still go back. */
  readonly isMoving: boolean
}
