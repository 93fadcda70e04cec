import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import type { SqlStatement } from '../../sql/split-statements.ts'

/** What every migration has, however it is written. */
interface MigrationHead {
  /** What orders and names it for good: `0042`. */
  readonly id: string
  /** The rest of its name, for people. */
  readonly name: string
  /** Changes with the content. */
  readonly checksum: string
  /** Code that does not know of it must not run beside it any more. */
  readonly isBreaking: boolean
  /** Waits until every shard has all before it, and runs in one shard of a server at a time. */
  readonly isAlone: boolean
}

/** SQL that runs as a whole in one transaction. */
export interface SqlMigration extends MigrationHead {
  readonly kind: 'sql'
  readonly text: string
  /** False when it sets something for its transaction, which must not hold for another shard. */
  readonly isShareable: boolean
}

/** SQL that runs statement by statement, without a transaction. */
export interface StepwiseMigration extends MigrationHead {
  readonly kind: 'steps'
  readonly steps: readonly SqlStatement[]
}

/** A program; `load` reads it. */
export interface CodeMigration extends MigrationHead {
  readonly kind: 'code'
  readonly isTransactional: boolean
  readonly load: () => Promise<MigrationCode>
}

/** The first built-in one: the shard itself, as provisioning makes it. */
export interface LayoutMigration extends MigrationHead {
  readonly kind: 'layout'
}

/** One step of what the shards of a deployment are made of. */
export type Migration = SqlMigration | StepwiseMigration | CodeMigration | LayoutMigration

/** What the `up` of a TypeScript migration is given: one shard, in which unqualified names mean those of its schema. */
export interface MigrationShard {
  readonly shardId: number
  readonly serverId: string
  /** The shard's schema: `shard0042`. */
  readonly schema: string
  /** Runs a statement, as `query` of a `pg` client does. Inside the transaction of the migration, if it has one. */
  query<R extends QueryResultRow>(query: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>>
}

/** The `up` of a TypeScript migration. */
export type MigrationCode = (shard: MigrationShard) => Promise<void> | void

/** A migration by its names. */
export interface MigrationName {
  readonly id: string
  readonly name: string
}

/** How a migration is called in messages: `0042_add_email`. */
export function labelOf({ id, name }: MigrationName): string {
  return id === name ? id : `${id}_${name}`
}

/** The names of a migration, without its content. */
export function nameOf({ id, name }: MigrationName): MigrationName {
  return Object.freeze({ id, name })
}
