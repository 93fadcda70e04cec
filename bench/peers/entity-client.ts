import type { Body, Entity, Key } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'

/** Someone who stores and reads entities. All have the same duties: they take and give the same, and route by shard. */
export interface EntityClient extends AsyncDisposable {
  readonly name: string
  /** Reads an entity and decodes it. */
  get(key: Key): Promise<Entity | undefined>
  /** Encodes and stores an entity, and gives its key. */
  put(shardId: number, kind: number, body: Body): Promise<Key>
}

/** Connections that each of them may have. */
export const POOL_MAX = 10

/** Keeps the text of a statement for each shard. */
export function memoizeByShard(make: (schema: string) => string): (shardId: number) => string {
  const texts: string[] = []
  return (shardId) => (texts[shardId] ??= make(shardSchema(shardId)))
}

/** Selects one entity, as one would write it by hand. */
export const selectText = memoizeByShard(
  (schema) => `select id, type, body, updated from ${schema}.entities where id = $1`,
)

/** Inserts one entity, as one would write it by hand. */
export const insertText = memoizeByShard(
  (schema) => `insert into ${schema}.entities (type, body) values ($1, $2) returning id`,
)
