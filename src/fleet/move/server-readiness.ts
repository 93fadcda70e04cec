import type { ServerSession } from '../../server/server-session.ts'

/** What a server says of itself, as far as a move needs to know. */
export interface ServerReadiness {
  readonly version: number
  readonly walLevel: string
  /** The level that the server writes now; undefined before PostgreSQL 19, where it is always `wal_level`. */
  readonly effectiveWalLevel: string | undefined
  /** WAL that a slot may keep, in megabytes; -1 without a limit. */
  readonly slotKeepMb: number
  /** Time after which a slot that nobody reads is taken away; 0 for never, and before PostgreSQL 18. */
  readonly slotIdleSeconds: number
  readonly freeSlots: number
  readonly freeSenders: number
  readonly freeWorkers: number
  /** Of all background workers; as many as a role that sees nothing of other sessions believes. */
  readonly freeProcesses: number
  /** Places for the positions of subscriptions. */
  readonly freeOrigins: number
  /** Workers that a subscription may have for the first copy of its tables. */
  readonly copyWorkers: number
  readonly isStandby: boolean
  readonly clockMs: number
  readonly encoding: string
  /** Provider and locale by which the database sorts texts unless a column says otherwise. */
  readonly collation?: string
  /** Version of its rules when the indexes were made, and now; undefined where there is none. */
  readonly collationVersions?: readonly [string | undefined, string | undefined]
}

/** A stream, and a table that is being copied; both ways of a move are counted for each server. */
const NEEDED = 2

/** With less WAL for a slot, or less time without a reader, a copy of some length loses its stream. */
const LEAST_KEEP_MB = 1_024
const LEAST_IDLE_SECONDS = 86_400

/** What a server lacks for any move, each with its remedy. */
export function judgeServer(serverId: string, server: ServerReadiness): string[] {
  const problem = (isWrong: boolean, text: string): string[] => (isWrong ? [`server ${serverId} ${text}`] : [])
  const lacking = (free: number, what: string, setting: string): string[] =>
    problem(
      free < NEEDED,
      `has ${Math.max(0, free)} free ${what}, and a move needs ${NEEDED}: raise ${setting}, and restart`,
    )
  return [
    ...problem(server.version < 150_000, 'is older than PostgreSQL 15: upgrade it'),
    ...problem(server.isStandby, 'is a standby: use the primary'),
    ...problem(!canDecode(server), "has wal_level below logical: alter system set wal_level = 'logical', and restart"),
    ...lacking(server.freeSlots, 'replication slots', 'max_replication_slots'),
    ...lacking(server.freeSenders, 'WAL senders', 'max_wal_senders'),
    ...lacking(server.freeWorkers, 'logical replication workers', 'max_logical_replication_workers'),
    ...lacking(server.freeProcesses, 'background workers', 'max_worker_processes'),
    ...lacking(
      server.freeOrigins,
      'replication origins',
      server.version < 180_000 ? 'max_replication_slots' : 'max_active_replication_origins',
    ),
    ...problem(
      server.slotKeepMb >= 0 && server.slotKeepMb < LEAST_KEEP_MB,
      `invalidates a slot that retains more than ${server.slotKeepMb} MB of WAL, and a move may need more: alter system set max_slot_wal_keep_size = -1 (or ${LEAST_KEEP_MB}MB and more), and select pg_reload_conf()`,
    ),
    ...problem(
      server.slotIdleSeconds > 0 && server.slotIdleSeconds < LEAST_IDLE_SECONDS,
      `invalidates a slot that is idle for ${server.slotIdleSeconds} s, and the slot of a move may be idle longer: alter system set idle_replication_slot_timeout = 0 (or a day and more), and select pg_reload_conf()`,
    ),
    ...problem(
      server.copyWorkers < 1,
      'copies no tables: alter system set max_sync_workers_per_subscription = 2, and select pg_reload_conf()',
    ),
    ...judgeCollation(serverId, server),
  ]
}

/** Indexes over texts were made under other rules: rows are not found in them, also by the stream of a way back. */
function judgeCollation(
  serverId: string,
  { collationVersions: [recorded, actual] = [undefined, undefined] }: ServerReadiness,
): string[] {
  if (recorded === undefined || actual === undefined || recorded === actual) return []
  const versions = `${recorded} when its indexes were created, and is now ${actual}`
  return [
    `server ${serverId} sorts text by other rules than its indexes, whose collation had version ${versions}: reindex the database there, and run alter database … refresh collation version`,
  ]
}

/** From PostgreSQL 19 on a server that writes for standbys begins to write for decoding with its first logical slot. */
function canDecode({ walLevel, effectiveWalLevel }: ServerReadiness): boolean {
  const isByDemand = effectiveWalLevel !== undefined && walLevel === 'replica'
  return walLevel === 'logical' || effectiveWalLevel === 'logical' || isByDemand
}

/** Kinds of processes that are no background workers. */
const OTHER_PROCESSES = [
  'archiver',
  'autovacuum launcher',
  'autovacuum worker',
  'background writer',
  'checkpointer',
  'client backend',
  'io worker',
  'slotsync worker',
  'startup',
  'walreceiver',
  'walsender',
  'walsummarizer',
  'walwriter',
]

const selectReadiness = `
select current_setting('server_version_num'), current_setting('wal_level'),
  current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots),
  current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication),
  current_setting('max_logical_replication_workers')::int - (select count(*) from pg_stat_subscription where pid is not null),
  current_setting('max_worker_processes')::int
    - (select count(*) from pg_stat_activity where backend_type <> all ($1::text[])),
  coalesce(current_setting('max_active_replication_origins', true), current_setting('max_replication_slots'))::int
    - (select count(*) from pg_replication_origin),
  current_setting('max_sync_workers_per_subscription'),
  current_setting('effective_wal_level', true),
  (select setting from pg_settings where name = 'max_slot_wal_keep_size'),
  (select extract(epoch from (setting || ' ' || unit)::interval)::bigint from pg_settings where name = 'idle_replication_slot_timeout'),
  pg_is_in_recovery(), floor(extract(epoch from clock_timestamp()) * 1000), getdatabaseencoding(),
  case datlocprovider when 'i' then 'icu ' when 'b' then 'builtin ' else 'libc ' end || coalesce(
    to_jsonb(hv_database) ->> 'datlocale', to_jsonb(hv_database) ->> 'daticulocale', datcollate),
  datcollversion, pg_database_collation_actual_version(hv_database.oid)
from pg_database as hv_database
where datname = current_database()`

/** Asks a server. */
export async function readReadiness(session: ServerSession): Promise<ServerReadiness> {
  const [row] = await session.read({ text: selectReadiness, values: [OTHER_PROCESSES] })
  const [version, walLevel, slots, senders, workers, processes, origins, copyWorkers, ...rest] = row ?? []
  const [effectiveWalLevel, slotKeep, slotIdle, standby, clock, encoding, ...sorting] = rest
  const [collation, recorded, actual] = sorting
  return {
    version: Number(version),
    walLevel: walLevel ?? '',
    effectiveWalLevel: effectiveWalLevel ?? undefined,
    slotKeepMb: Number(slotKeep ?? -1),
    slotIdleSeconds: Number(slotIdle ?? 0),
    freeSlots: Number(slots),
    freeSenders: Number(senders),
    freeWorkers: Number(workers),
    freeProcesses: Number(processes),
    freeOrigins: Number(origins),
    copyWorkers: Number(copyWorkers),
    isStandby: standby === 't',
    clockMs: Number(clock),
    encoding: encoding ?? '',
    collation: collation ?? '',
    collationVersions: [recorded ?? undefined, actual ?? undefined],
  }
}
