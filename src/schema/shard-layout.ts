/** A column of the table `entities`. */
export interface ColumnLayout {
  readonly name: string
  /** As PostgreSQL writes it; `hstore` only when it is the one of the extension. */
  readonly type: string
  readonly isRequired: boolean
  readonly hasDefault: boolean
}

/** The table `entities` as a server describes it. */
export interface EntitiesLayout {
  /** `r` for a table, as in `pg_class.relkind`. */
  readonly kind: string
  readonly isOwned: boolean
  readonly columns: readonly ColumnLayout[]
  readonly primaryKey: { readonly name: string; readonly columns: readonly string[] } | undefined
  /** Where the key of a new row comes from: the shard's own `next_id()`, nowhere, or something else. */
  readonly idDefault: 'next_id' | 'none' | 'other'
}

/** The sequence `table_id_seq`. */
export interface SequenceLayout {
  readonly isOwned: boolean
  readonly cache: number
}

/** The function `next_id()`. */
export interface NextIdLayout {
  readonly isOwned: boolean
  /** `sql`, `plpgsql`, … */
  readonly language: string
  readonly source: string
  readonly returns: string
}

/** What a server holds in the schema of one logical shard. Facts only: `findProblems` and `planShard` judge them. */
export interface ShardLayout {
  readonly shardId: number
  readonly sequence: SequenceLayout | undefined
  readonly nextId: NextIdLayout | undefined
  readonly entities: EntitiesLayout | undefined
  /** Whether the table is there that says which migrations have run. */
  readonly hasStates: boolean
  /** The shards that values are spread over, as the shard carries them; undefined in one of old. */
  readonly spread: string | undefined
  /** Whether the role may make something in the schema. */
  readonly canCreate: boolean
  /** Names of everything else in the schema, but indexes. */
  readonly otherObjects: readonly string[]
}

/** Whether anything in the schema belongs to a shard. An empty schema, or one of something else, is none. */
export function holdsShard({ sequence, nextId, entities }: ShardLayout): boolean {
  return sequence !== undefined || nextId !== undefined || entities !== undefined
}

/** Whether the table has the column `updated`, on which the original's two scripts disagree. */
export function hasUpdated({ columns }: EntitiesLayout): boolean {
  return columns.some(({ name }) => name === 'updated')
}
