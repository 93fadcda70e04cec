import type { FleetServer } from '../../catalog/fleet-record.ts'
import { isHypervaultError, type HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { pause } from '../../pool/pause.ts'
import { OPENING } from '../../schema/drift/shape/shape-sql.ts'
import { isFenceFunction, isMarkerTable } from '../../schema/move-objects.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { readDependents } from '../clone/dependents.ts'
import { readShardNeeds } from '../clone/read-shard-needs.ts'
import type { CleanupKind } from '../move/journal.ts'
import { findMissing } from '../move/preflight.ts'
import { findMissingPrivileges } from '../move/privileges.ts'
import { readReadiness, type ServerReadiness } from '../move/server-readiness.ts'
import { slotLostSql } from '../move/slot-state.ts'
import type { FleetLink, FleetLinks } from '../servers.ts'
import { isPooled } from './pooler-probe.ts'

/** An object that only a move makes. For fence and marker the name is the schema of their shard. */
export interface FoundObject {
  readonly kind: Exclude<CleanupKind, 'schema'>
  readonly name: string
  /** Whether a slot is read from, a subscription enabled, a fence closed. */
  readonly isActive: boolean
  /** Why a slot gives nothing any more; undefined for one that does, and for everything else. */
  readonly lostBecause: string | undefined
}

/** Everything that is asked of one server. */
export interface ServerReading {
  readonly serverId: string
  readonly readiness: ServerReadiness
  /** How far its clock is ahead of this machine's, in milliseconds; as exact as the round trip. */
  readonly clockOffsetMs: number
  readonly isPooled: boolean
  /** Every schema that is named like a shard, and whether it has the table of entities, which may be read. */
  readonly schemas: ReadonlyMap<number, { readonly hasEntities: boolean; readonly isReadable: boolean }>
  readonly objects: readonly FoundObject[]
  readonly preparedTransactions: readonly { readonly gid: string; readonly seconds: number }[]
  /** Shards whose sequence hands out numbers in blocks. */
  readonly cachedSequences: readonly number[]
  /** Highest id of each shard with rows, of those that live here and may be read. */
  readonly highestIds: ReadonlyMap<number, bigint>
  /** Texts `what: remedy`, of those that live here and have any. */
  readonly shardProblems: ReadonlyMap<number, readonly string[]>
  /** What depends from outside on schemas of shards that live elsewhere, as texts `what: remedy`. */
  readonly strayDependents: ReadonlyMap<number, readonly string[]>
  /** What its shards need where they go to. */
  readonly needs: PlaceNeeds
}

/** What a server must have for shards that come: names, each once. */
export interface PlaceNeeds {
  readonly types: readonly string[]
  readonly roles: readonly string[]
  /** Roles as which the role of a move must be allowed to act. */
  readonly owners: readonly string[]
}

/** A server that could not be asked. */
export interface FailedReading {
  readonly serverId: string
  readonly failure: string
  /** Set when it was not asked at all, because what the catalog says of it cannot be used here. */
  readonly unusable?: HypervaultError<'HV_SERVER_UNUSABLE'>
}

/** Shards of one statement on the catalogs: enough that their number costs nothing, few enough for little memory. */
const SHARDS_OF_CATALOGS = 512

/** Shards of one statement that reads their tables: each takes two locks, of which a server has some thousands. */
const SHARDS_OF_TABLES = 128

const CLOCK_READINGS = 3
const CLOCK_PAUSE_MS = 5

/** Asks one server; what fails is its answer, so that a server that is down leaves those of the others. */
export async function tryReadServer(
  { serverId, shardIds }: FleetServer,
  links: FleetLinks,
  signal: AbortSignal | undefined,
): Promise<ServerReading | FailedReading> {
  try {
    const link = await links.get(serverId, signal)
    // Bound: the link knows the signal; each statement has STATEMENT_MS.
    const pooled = await isPooled(() => link.acquire())
    const read = (session: ServerSession): Promise<ServerReading> => readServer(session, shardIds, pooled, signal)
    return await link.withSession(read, signal)
  } catch (error) {
    signal?.throwIfAborted()
    return toFailedReading(serverId, error)
  }
}

/** What is known of a server that could not be read. */
export function toFailedReading(serverId: string, error: unknown): FailedReading {
  const failure = error instanceof Error ? error.message : String(error)
  return isHypervaultError(error, 'HV_SERVER_UNUSABLE') ? { serverId, failure, unusable: error } : { serverId, failure }
}

async function readServer(
  session: ServerSession,
  shardIds: readonly number[],
  pooled: boolean,
  signal: AbortSignal | undefined,
): Promise<ServerReading> {
  const schemas = await readSchemas(session)
  const present = shardIds.filter((shardId) => schemas.get(shardId)?.hasEntities === true)
  return {
    serverId: session.serverId,
    ...(await readClock(session, signal)),
    isPooled: pooled,
    schemas,
    objects: await readObjects(session),
    preparedTransactions: await readPrepared(session),
    cachedSequences: await readCachedSequences(session),
    highestIds: await readHighestIds(
      session,
      present.filter((shardId) => schemas.get(shardId)?.isReadable),
    ),
    strayDependents: await readStrayDependents(
      session,
      [...schemas.keys()].filter((shardId) => !shardIds.includes(shardId)),
    ),
    ...(await readProblems(session, present, signal)),
  }
}

/** The reading with the shortest way tells the clock best. */
async function readClock(
  session: ServerSession,
  signal: AbortSignal | undefined,
): Promise<Pick<ServerReading, 'readiness' | 'clockOffsetMs'>> {
  const readings: { readiness: ServerReadiness; clockOffsetMs: number; tookMs: number }[] = []
  for (let count = 0; count < CLOCK_READINGS; count += 1) {
    const before = Date.now()
    const readiness = await readReadiness(session)
    const tookMs = Date.now() - before
    readings.push({ readiness, clockOffsetMs: readiness.clockMs - before - tookMs / 2, tookMs })
    await pause(CLOCK_PAUSE_MS, signal)
  }
  const [best] = readings.sort((a, b) => a.tookMs - b.tookMs)
  if (best === undefined) throw new Error('bug: no reading of the clock')
  return { readiness: best.readiness, clockOffsetMs: best.clockOffsetMs }
}

async function readSchemas(session: ServerSession): Promise<ServerReading['schemas']> {
  const text = [
    "select nspname, pg_class.oid is not null, has_schema_privilege(n.oid, 'usage') and has_table_privilege(pg_class.oid, 'select')",
    "from pg_namespace as n left join pg_class on relnamespace = n.oid and relname = 'entities' and relkind = 'r'",
    "where nspname ~ '^shard[0-9]{4}$'",
  ].join('\n')
  const rows = await session.read({ text })
  return new Map(
    rows.map(([name, hasEntities, isReadable]) => [
      shardIdOf(name),
      { hasEntities: hasEntities === 't', isReadable: isReadable === 't' },
    ]),
  )
}

async function readObjects(session: ServerSession): Promise<FoundObject[]> {
  const own = '(select oid from pg_database where datname = current_database())'
  const text = [
    `select 'slot', slot_name, active, ${slotLostSql} from pg_replication_slots`,
    "where database = current_database() and slot_name ~ '^hv_(move|back)_'",
    "union all select 'publication', pubname, true, null from pg_publication where pubname ~ '^hv_(move|back)_'",
    "union all select 'subscription', subname, subenabled, null from pg_subscription",
    `where subdbid = ${own} and subname ~ '^hv_(move|back)_'`,
    "union all select 'fence', nspname, prosrc ~ 'HV001' or obj_description(pg_proc.oid, 'pg_proc') is not null, null from pg_proc join pg_namespace as n on n.oid = pronamespace",
    `where ${isFenceFunction} and nspname ~ '^shard[0-9]{4}$'`,
    "union all select 'marker', nspname, true, null from pg_class join pg_namespace as n on n.oid = relnamespace",
    `where ${isMarkerTable} and nspname ~ '^shard[0-9]{4}$'`,
  ].join('\n')
  const rows = await session.read({ text })
  return rows.map(([kind, name, isActive, lostBecause]) => ({
    kind: kind as FoundObject['kind'],
    name: name ?? '',
    isActive: isActive === 't',
    lostBecause: lostBecause ?? undefined,
  }))
}

async function readPrepared(session: ServerSession): Promise<ServerReading['preparedTransactions']> {
  const text = [
    'select gid, extract(epoch from clock_timestamp() - prepared)::int from pg_prepared_xacts',
    'where database = current_database() order by prepared',
  ].join('\n')
  const rows = await session.read({ text })
  return rows.map(([gid, seconds]) => ({ gid: gid ?? '', seconds: Number(seconds) }))
}

async function readCachedSequences(session: ServerSession): Promise<number[]> {
  const text = [
    'select nspname from pg_sequence join pg_class on pg_class.oid = seqrelid',
    'join pg_namespace as n on n.oid = relnamespace',
    "where relname = 'table_id_seq' and nspname ~ '^shard[0-9]{4}$' and seqcache > 1 order by nspname",
  ].join('\n')
  return (await session.read({ text })).map(([name]) => shardIdOf(name))
}

async function readHighestIds(session: ServerSession, shardIds: readonly number[]): Promise<Map<number, bigint>> {
  const highest = new Map<number, bigint>()
  for (const some of batches(shardIds, SHARDS_OF_TABLES)) {
    const texts = some.map((shardId) => `select ${shardId}, max(id) from ${shardSchema(shardId)}.entities`)
    const rows = await session.read({ text: texts.join('\nunion all\n') })
    for (const [shardId, id] of rows) if (id != null) highest.set(Number(shardId), BigInt(id))
  }
  return highest
}

/** Batch by batch, and of each only what is said about it: the tables of all shards at once could be very many. */
async function readProblems(
  session: ServerSession,
  shardIds: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Pick<ServerReading, 'shardProblems' | 'needs'>> {
  const shardProblems = new Map<number, readonly string[]>()
  let needs = uniteNeeds([])
  for (const some of batches(shardIds, SHARDS_OF_CATALOGS)) {
    signal?.throwIfAborted()
    const shards = await session.transaction(OPENING, () => readShardNeeds(session, some))
    for (const { shardId, refusals } of shards) if (refusals.length > 0) shardProblems.set(shardId, refusals)
    needs = uniteNeeds([needs, ...shards])
  }
  return { shardProblems, needs }
}

async function readStrayDependents(
  session: ServerSession,
  shardIds: readonly number[],
): Promise<ServerReading['strayDependents']> {
  const found = new Map<number, readonly string[]>()
  for (const some of batches(shardIds, SHARDS_OF_CATALOGS)) {
    for (const [schema, dependents] of await readDependents(session, some.map(shardSchema))) {
      found.set(shardIdOf(schema), dependents)
    }
  }
  return found
}

function batches(shardIds: readonly number[], size: number): number[][] {
  const count = Math.ceil(shardIds.length / size)
  return Array.from({ length: count }, (_, at) => shardIds.slice(at * size, (at + 1) * size))
}

/** What all of them need. */
export function uniteNeeds(needs: readonly PlaceNeeds[]): PlaceNeeds {
  const unite = (name: keyof PlaceNeeds): string[] => [...new Set(needs.flatMap((each) => each[name]))].sort()
  return { types: unite('types'), roles: unite('roles'), owners: unite('owners') }
}

/** What a server lacks for shards with these needs, as texts `what: remedy`. */
export async function readLacking(
  link: FleetLink,
  { types, roles, owners }: PlaceNeeds,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const read = async (session: ServerSession): Promise<string[]> => [
    ...(await findMissing(session, types, roles)),
    ...(await findMissingPrivileges(session, owners)),
  ]
  return link.withSession(read, signal)
}

function shardIdOf(schema: string | null | undefined): number {
  return Number(schema?.slice('shard'.length))
}
