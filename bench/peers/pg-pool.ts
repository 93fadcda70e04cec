import { Pool, type ClientConfig, type QueryConfig } from 'pg'
import { decodeHstore, encodeHstore, Key, type Body, type Entity } from '../../src/index.ts'
import { insertText, POOL_MAX, selectText, type EntityClient } from './entity-client.ts'

/** Name of `pg.Pool` with prepared statements as a contender. */
export const PG_PREPARED = 'pg.Pool, prepared'
/** The same without. */
export const PG_UNPREPARED = 'pg.Pool'

/** A row of the entities as `pg` gives it. */
export interface EntityRow {
  readonly type: number
  readonly body: string
  readonly updated: Date | null
}

/** `pg.Pool`: one statement for each call. */
export class PgPoolClient implements EntityClient {
  readonly name: string
  readonly pool: Pool
  readonly #isPrepared: boolean

  constructor(connection: ClientConfig, { isPrepared }: { isPrepared: boolean }) {
    this.name = isPrepared ? PG_PREPARED : PG_UNPREPARED
    this.#isPrepared = isPrepared
    this.pool = new Pool({ ...connection, max: POOL_MAX })
    // The pool has ended before its connections have; a server that stops meanwhile tells them so.
    this.pool.on('error', () => undefined)
  }

  async get(key: Key): Promise<Entity | undefined> {
    const { shardId } = key
    const { rows } = await this.pool.query<EntityRow>(this.#query('get', shardId, selectText(shardId), [key.id]))
    const [row] = rows
    return row && { key, kind: row.type, body: decodeHstore(row.body), updated: row.updated }
  }

  async put(shardId: number, kind: number, body: Body): Promise<Key> {
    const values = [kind, encodeHstore(body)]
    const { rows } = await this.pool.query<{ id: string }>(this.#query('put', shardId, insertText(shardId), values))
    return new Key(rows[0]?.id ?? '')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pool.end()
  }

  #query(verb: string, shardId: number, text: string, values: unknown[]): QueryConfig {
    return this.#isPrepared ? { name: `${verb}${shardId}`, text, values } : { text, values }
  }
}
