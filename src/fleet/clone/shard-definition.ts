/** A table of a shard that holds rows. */
export interface ClonedTable {
  readonly name: string
  /** Columns that hold values, in order: those that are computed are left out. */
  readonly columns: readonly string[]
  /** Columns of the primary key with their types, in order; empty without one. */
  readonly key: readonly { readonly name: string; readonly type: string }[]
  readonly rowsEstimate: number
  readonly bytes: number
}

/** What a shard is made of, as statements that make the same elsewhere. */
export interface ShardDefinition {
  readonly shardId: number
  readonly tables: readonly ClonedTable[]
  /** Names of the sequences in the schema, those of serial and identity columns included. */
  readonly sequences: readonly string[]
  /** Makes schema, types, sequences, functions, and tables with their primary keys; in order. */
  readonly beforeCopy: readonly string[]
  /** Makes the rest: indexes, constraints, views, triggers, owners, grants, comments; in order. */
  readonly afterCopy: readonly string[]
  /** Types outside the schema, qualified, that the other server must have. */
  readonly types: readonly string[]
  /** Roles that own something or were granted something. */
  readonly roles: readonly string[]
  /** Those of them that own something. */
  readonly owners: readonly string[]
  /** What cannot be carried, by name, with the reason and what to do. Empty if the shard can move. */
  readonly refusals: readonly string[]
}
