import { Client } from 'pg'
import { readCities, type City } from '../../demo/cities.ts'
import { encodeHstore } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import { startCluster, type Cluster, type ClusterConnection } from '../../src/testing.ts'
import { keyOfRow } from './rows.ts'

/** How the ground is made. */
export interface GroundOptions {
  /** The shards are 1 … so many. */
  readonly shards: number
  readonly signal: AbortSignal
  /** Told how many shards are made. */
  readonly onShards?: (done: number) => void
}

/** Kind of all entities of the bench. */
export const CITY = 1

/** One server with shards, on which the contenders of a workload meet. */
export class Ground implements AsyncDisposable {
  readonly shardIds: readonly number[]
  readonly cities: readonly City[]
  readonly #cluster: Cluster
  readonly #admin: Client

  private constructor(cluster: Cluster, admin: Client, cities: readonly City[], shards: number) {
    this.#cluster = cluster
    this.#admin = admin
    this.cities = cities
    this.shardIds = Array.from({ length: shards }, (_, index) => index + 1)
  }

  /** Starts the server and makes the shards. */
  static async open({ shards, signal, onShards }: GroundOptions): Promise<Ground> {
    const cluster = await startCluster({
      servers: 1,
      shards: `1-${shards + 1}`,
      signal,
      onProgress: ({ done }) => onShards?.(done),
    })
    try {
      const admin = new Client(cluster.connections[0])
      await admin.connect()
      return new Ground(cluster, admin, await readCities(), shards)
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  get connection(): ClusterConnection {
    const [connection] = this.#cluster.connections
    if (connection === undefined) throw new Error('a ground has one server')
    return connection
  }

  /** Asks the server something, beside the contenders. */
  async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#admin.query<Row>(text, values)).rows
  }

  /** The city in the nth row of each shard that was filled. */
  cityAt(row: number): City {
    const city = this.cities[row % this.cities.length]
    if (city === undefined) throw new Error('there are no cities')
    return city
  }

  /**
   * Puts so many rows into each shard, with the keys of {@link keyOfRow}. The tables are not analyzed: the server would
   * plan for tables that stay as small as they are.
   */
  async fill(rowsPerShard: number): Promise<void> {
    const client = new Client(this.connection)
    await client.connect()
    try {
      const bodies = Array.from({ length: rowsPerShard }, (_, row) => encodeHstore(this.cityAt(row)))
      for (const shardId of this.shardIds)
        await client.query(insertRows(shardId), [idsOf(shardId, rowsPerShard), bodies])
    } finally {
      await client.end()
    }
  }

  /** Takes all rows out of some shards. */
  async truncate(shardIds: readonly number[] = this.shardIds): Promise<void> {
    await this.query(`truncate ${shardIds.map((shardId) => `${shardSchema(shardId)}.entities`).join(', ')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.end().catch(() => undefined)
    await this.#cluster.stop()
  }
}

function insertRows(shardId: number): string {
  return [
    `insert into ${shardSchema(shardId)}.entities (id, type, body)`,
    `select id, ${CITY}, body::hstore from unnest($1::bigint[], $2::text[]) as given (id, body)`,
  ].join('\n')
}

function idsOf(shardId: number, rows: number): string[] {
  return Array.from({ length: rows }, (_, row) => keyOfRow(shardId, row).toString())
}
