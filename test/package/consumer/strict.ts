import {
  Datastore,
  isHypervaultError,
  Key,
  type Body,
  type DatastoreOptions,
  type Entity,
  type ErrorCode,
  type Logger,
} from 'pg-hypervault'
import { startCluster, type Cluster } from 'pg-hypervault/testing'

const logger: Logger = { debug: () => undefined, warn: () => undefined }

const options: DatastoreOptions = {
  connections: [
    { shards: '1-9', host: '192.168.2.23', port: 5432, user: 'x', password: () => 'x', database: 'x' },
    { shards: '9-17', connectionString: 'postgres://x:x@192.168.2.24/x', application_name: 'x' },
  ],
  poolMax: 10,
  poolBlockTimeoutMs: 5_000,
  logger,
}

export async function useDatastore(signal: AbortSignal): Promise<string | null | undefined> {
  const db = new Datastore(options)
  const body: Body = { beep: 'boop', nothing: null }
  const key: Key = await db.put(12, 1, body)
  const entity: Entity | undefined = await db.get(key, { signal })
  const count: number | null = await db.cursor(5, async (client) => (await client.query('select 1')).rowCount)
  const keys: Key[] = await db.putMany(5, 1, [body, { count: String(count) }])
  const entities: (Entity | undefined)[] = await db.getMany(keys)
  await db.disconnect()
  await db.reinstantiate()
  return entity?.body.beep ?? entities[0]?.body.beep
}

export async function useConnection(db: Datastore): Promise<number> {
  const connection = await db.getConnection(5)
  const { rows } = await connection.query<{ version: string }>('select version() where $1', [true])
  const version: string | undefined = rows[0]?.version
  db.putConnection(connection)
  return version === undefined ? connection.shardId : connection.serverId.length
}

export async function useCluster(): Promise<Datastore> {
  const cluster: Cluster = await startCluster({ servers: 2, shards: '1-17', version: 18 })
  await cluster.stop()
  return new Datastore({ connections: cluster.connections })
}

export function describe(error: unknown): string {
  if (isHypervaultError(error, 'HV_SHARD_UNKNOWN')) return error.details.shardId.toFixed()
  const code: ErrorCode | undefined = isHypervaultError(error) ? error.code : undefined
  return code ?? 'none'
}

export const first: number = Key.compare(new Key('1'), new Key(2n))

// @ts-expect-error a number cannot hold a key
export const wrongKey = new Key(1)

// @ts-expect-error a body holds text or null
export const wrongBody: Body = { count: 1 }

// @ts-expect-error without servers there is nothing to store into
export const wrongOptions: DatastoreOptions = { poolMax: 10 }
