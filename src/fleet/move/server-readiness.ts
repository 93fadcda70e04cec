import type { ServerSession } from '../../schema/server-session.ts'

/** What a server says of itself, as far as a move needs to know. */
export interface ServerReadiness {
  readonly version: number
  readonly walLevel: string
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
}

/** A stream, and a table that is being copied; both ways of a move are counted for each server. */
const NEEDED = 2

/** What a server lacks for any move, each with its remedy. */
export function judgeServer(serverId: string, server: ServerReadiness): string[] {
  const problem = (isWrong: boolean, text: string): string[] => (isWrong ? [`server ${serverId} ${text}`] : [])
  const lacking = (free: number, what: string, setting: string): string[] =>
    problem(
      free < NEEDED,
      `has ${Math.max(0, free)} free ${what}, and a move takes ${NEEDED}: raise ${setting}, and restart`,
    )
  return [
    ...problem(server.version < 150_000, 'is older than PostgreSQL 15: upgrade it'),
    ...problem(server.isStandby, 'is a standby: name the primary'),
    ...problem(
      server.walLevel !== 'logical',
      "has wal_level below logical: alter system set wal_level = 'logical', and restart",
    ),
    ...lacking(server.freeSlots, 'replication slots', 'max_replication_slots'),
    ...lacking(server.freeSenders, 'WAL senders', 'max_wal_senders'),
    ...lacking(server.freeWorkers, 'workers of logical replication', 'max_logical_replication_workers'),
    ...lacking(server.freeProcesses, 'background workers', 'max_worker_processes'),
    ...lacking(
      server.freeOrigins,
      'replication origins',
      server.version < 180_000 ? 'max_replication_slots' : 'max_active_replication_origins',
    ),
    ...problem(
      server.copyWorkers < 1,
      'copies no tables: alter system set max_sync_workers_per_subscription = 2, and select pg_reload_conf()',
    ),
  ]
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
  pg_is_in_recovery(), floor(extract(epoch from clock_timestamp()) * 1000), getdatabaseencoding()`

/** Asks a server. */
export async function readReadiness(session: ServerSession): Promise<ServerReadiness> {
  const [row] = await session.read({ text: selectReadiness, values: [OTHER_PROCESSES] })
  const [version, walLevel, slots, senders, workers, processes, origins, copyWorkers, standby, clock, encoding] =
    row ?? []
  return {
    version: Number(version),
    walLevel: walLevel ?? '',
    freeSlots: Number(slots),
    freeSenders: Number(senders),
    freeWorkers: Number(workers),
    freeProcesses: Number(processes),
    freeOrigins: Number(origins),
    copyWorkers: Number(copyWorkers),
    isStandby: standby === 't',
    clockMs: Number(clock),
    encoding: encoding ?? '',
  }
}
