import postgres, { type Sql } from 'postgres'
import { decodeHstore, encodeHstore, Key, type Body, type Entity } from '../../src/index.ts'
import type { ServerConnection } from '../../src/testing.ts'
import { insertText, POOL_MAX, selectText, type EntityClient } from './entity-client.ts'

/** Name of postgres.js as a contender. */
export const POSTGRES_JS = 'postgres.js'

interface EntityRow {
  readonly type: number
  readonly body: string
  readonly updated: Date | null
}

/** postgres.js: one statement for each call, prepared and pipelined. */
export class PostgresJsClient implements EntityClient {
  readonly name = POSTGRES_JS
  readonly #sql: Sql

  constructor({ host, port, user, password, database }: ServerConnection) {
    this.#sql = postgres({ host, port, user, password, database, max: POOL_MAX, prepare: true })
  }

  async get(key: Key): Promise<Entity | undefined> {
    const text = selectText(key.shardId)
    const [row] = await this.#sql.unsafe<EntityRow[]>(text, [key.toString()], { prepare: true })
    return row && { key, kind: row.type, body: decodeHstore(row.body), updated: row.updated }
  }

  async put(shardId: number, kind: number, body: Body): Promise<Key> {
    const values = [kind, encodeHstore(body)]
    const [row] = await this.#sql.unsafe<{ id: string }[]>(insertText(shardId), values, { prepare: true })
    return new Key(row?.id ?? '')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sql.end({ timeout: 5 })
  }
}
