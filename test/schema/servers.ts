import { Client, type ClientConfig, type QueryResultRow } from 'pg'
import { ServerPool } from '../../src/pool/server-pool.ts'
import { inspectServer, type ServerInspection } from '../../src/schema/inspect.ts'
import type { ConnectionEntry } from '../../src/topology/connection-entry.ts'

/** Connections to databases, one shard range each. */
export function entriesOf(databases: { connections: readonly ClientConfig[] }, ...ranges: string[]): ConnectionEntry[] {
  return ranges.map((shards, index) => ({ ...databases.connections[index], shards }))
}

/** Lends a plain connection, one that Hypervault knows nothing of. */
export async function withClient<T>(
  config: ClientConfig | undefined,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(config)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Rows of one statement on a plain connection. */
export function rowsOf<R extends QueryResultRow>(config: ClientConfig | undefined, sql: string): Promise<R[]> {
  return withClient(config, async (client) => (await client.query<R>(sql)).rows)
}

/** A pool of one connection. */
export function poolOf(clientConfig: ClientConfig = {}): ServerPool {
  return new ServerPool({ serverId: 's1', clientConfig, max: 1, blockTimeoutMs: 10_000 })
}

/** What a server holds now. */
export async function inspect(config: ClientConfig | undefined): Promise<ServerInspection> {
  await using pool = poolOf(config)
  return await inspectServer(pool)
}

/** The shards of a server, ascending, that have all of a shard's parts. */
export async function wholeShards(config: ClientConfig | undefined): Promise<number[]> {
  const { shards } = await inspect(config)
  const whole = [...shards.values()].filter(({ sequence, nextId, entities }) => sequence && nextId && entities)
  return whole.map(({ shardId }) => shardId).sort((a, b) => a - b)
}

/** The whole numbers from first to last. */
export function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

/** The error that a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => Promise.reject(new Error('it did not reject')),
    (error: unknown) => error,
  )
}
