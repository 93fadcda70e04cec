/** How far a run is. */
export interface MigrationProgress {
  /** Whether it works on the shards that go first. */
  readonly isCanary: boolean
  /** Which wave it is in, from 1, of how many; the canary is one of them. */
  readonly wave: number
  readonly waves: number
  /** Migrations that have run, each in each shard; what others ran meanwhile counts too. */
  readonly done: number
  /** Migrations that there are to run, each in each shard. */
  readonly total: number
  /** Shards that have failed. */
  readonly failed: number
}
