import { HypervaultError } from '../errors.ts'
import { MAX_SHARD_ID } from '../key/layout.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession, type ServerSession, type SessionOptions } from '../server/server-session.ts'
import { selectSchemas, selectServerFacts } from './catalog-statements.ts'
import { readLayouts } from './read-layouts.ts'
import type { ShardLayout } from './shard-layout.ts'

/** What a server is, apart from its shards. */
export interface ServerFacts {
  readonly serverId: string
  /** Such as `18.4`. */
  readonly version: string
  /** The same as a number: 180004. */
  readonly versionNumber: number
  /** Schema of the extension hstore, undefined when it is not there. */
  readonly hstoreSchema: string | undefined
  /** Equal for two entries of `connections` that lead to the same database. */
  readonly databaseIdentity: string
}

/** What a server holds: every schema that is named like a shard, also those that are none. */
export interface ServerInspection extends ServerFacts {
  readonly shards: ReadonlyMap<number, ShardLayout>
}

/** One snapshot for all statements, so that shards being made meanwhile are seen whole or not at all. */
const SNAPSHOT = ['begin isolation level repeatable read read only']

const OLDEST_VERSION = 150_000

/**
 * Reads what a server holds, in one read-only snapshot and a fixed number of statements.
 *
 * @throws `HV_SERVER_UNSUPPORTED` for PostgreSQL older than 15, and the errors of the connection
 */
export async function inspectServer(
  pool: ServerPool,
  options: SessionOptions = { signal: undefined },
): Promise<ServerInspection> {
  return withServerSession(pool, options, (session) =>
    session.transaction(SNAPSHOT, async () => {
      const facts = await readServerFacts(session)
      return Object.freeze({ ...facts, shards: await readShards(session) })
    }),
  )
}

/** Reads what the server is. */
export async function readServerFacts(session: ServerSession): Promise<ServerFacts> {
  const { serverId } = session
  const [row] = await session.read(selectServerFacts)
  const [number, version, hstoreSchema, database, startedAt] = row ?? []
  const facts = {
    serverId,
    version: String(version).split(' ')[0] ?? '',
    versionNumber: Number(number),
    hstoreSchema: hstoreSchema ?? undefined,
    databaseIdentity: `${startedAt} ${database}`,
  }
  assertSupported(facts)
  return facts
}

/** Reads the layout of all shards, or of these. */
export async function readShards(
  session: ServerSession,
  shardIds?: readonly number[],
): Promise<ReadonlyMap<number, ShardLayout>> {
  const rows = await session.read(selectSchemas(shardIds))
  const schemas = rows.map(([oid, name, canCreate]) => ({
    oid: String(oid),
    shardId: Number(name?.slice('shard'.length)),
    canCreate: canCreate === 't',
  }))
  const layouts = await readLayouts(
    session,
    schemas.filter(({ shardId }) => shardId <= MAX_SHARD_ID),
  )
  return new Map(layouts.map((layout) => [layout.shardId, layout]))
}

/** Throws `HV_SERVER_UNSUPPORTED` for PostgreSQL older than 15. */
export function assertSupported({ serverId, version, versionNumber }: Omit<ServerFacts, 'databaseIdentity'>): void {
  if (versionNumber >= OLDEST_VERSION) return
  const message = `server ${serverId} runs PostgreSQL ${version}; the oldest supported version is 15`
  throw new HypervaultError('HV_SERVER_UNSUPPORTED', message, { serverId, version })
}
