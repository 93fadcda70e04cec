/*
 * The tables of the catalog, schema `hypervault`. A layout is a list of statements that turns the one before it into
 * it; a layout that was released never changes again. What must never happen is refused by the database itself:
 *
 *   a shard on two servers       placements has one row for each shard
 *   an epoch that goes back      the trigger hv_topology_epoch
 *   two moves of one shard       the index moves_under_way
 *   a server with shards leaves  placements references servers
 *   values lose their shards     spread has one row, which changes with the epoch only and is never deleted
 */

const first: readonly string[] = [
  `create table hypervault.topology (
  only_row boolean primary key default true check (only_row),
  epoch bigint not null
)`,
  'insert into hypervault.topology (epoch) values (1)',
  `create function hypervault.hv_refuse_older_epoch() returns trigger language plpgsql as $$
begin
  raise exception 'the epoch only grows, and stays' using errcode = 'check_violation';
end $$`,
  `create trigger hv_topology_epoch before update on hypervault.topology
for each row when (new.epoch <= old.epoch) execute function hypervault.hv_refuse_older_epoch()`,
  `create trigger hv_topology_stays before delete or truncate on hypervault.topology
for each statement execute function hypervault.hv_refuse_older_epoch()`,
  `create table hypervault.servers (
  server_id text primary key check (server_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
  settings jsonb not null,
  state text not null default 'active' check (state in ('active', 'draining')),
  added_at timestamptz not null default now()
)`,
  `create table hypervault.placements (
  shard_id integer primary key check (shard_id between 0 and 8191),
  server_id text not null references hypervault.servers,
  epoch bigint not null
)`,
  'create index placements_by_server on hypervault.placements (server_id)',
  `create table hypervault.history (
  history_id bigint generated always as identity primary key,
  epoch bigint not null,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  details jsonb not null
)`,
  `create table hypervault.leases (
  name text primary key,
  holder text not null,
  token bigint not null,
  expires_at timestamptz not null
)`,
  `create table hypervault.moves (
  move_id bigint generated always as identity primary key,
  tag text not null default substr(md5(random()::text), 1, 8),
  shard_id integer not null,
  source text not null,
  target text not null,
  phase text not null,
  is_over boolean not null default false,
  switched_epoch bigint,
  options jsonb not null,
  report jsonb,
  problem text,
  actor text not null,
  started_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp()
)`,
  'create unique index moves_under_way on hypervault.moves (shard_id) where not is_over',
  `create table hypervault.move_steps (
  step_id bigint generated always as identity primary key,
  move_id bigint not null references hypervault.moves,
  step text not null,
  state text not null check (state in ('begun', 'done')),
  at timestamptz not null default clock_timestamp(),
  details jsonb not null default '{}'
)`,
  'create index move_steps_by_move on hypervault.move_steps (move_id, step_id)',
  `create table hypervault.cleanups (
  cleanup_id bigint generated always as identity primary key,
  move_id bigint not null references hypervault.moves,
  server_id text not null,
  kind text not null,
  name text not null,
  recorded_at timestamptz not null default clock_timestamp(),
  done_at timestamptz,
  unique (move_id, server_id, kind, name)
)`,
]

/** What values are spread over. An older catalog has spread them over the shards that there are. */
const spread: readonly string[] = [
  `create table hypervault.spread (
  only_row boolean primary key default true check (only_row),
  shard_ids integer[] not null check (cardinality(shard_ids) > 0),
  epoch bigint not null
)`,
  `create trigger hv_spread_epoch before update on hypervault.spread
for each row when (new.epoch <= old.epoch) execute function hypervault.hv_refuse_older_epoch()`,
  `create trigger hv_spread_stays before delete or truncate on hypervault.spread
for each statement execute function hypervault.hv_refuse_older_epoch()`,
  `insert into hypervault.spread (shard_ids, epoch)
select array_agg(shard_id order by shard_id), (select epoch from hypervault.topology)
from hypervault.placements having count(*) > 0`,
]

/** All layouts, the oldest first. */
export const catalogLayouts: readonly (readonly string[])[] = [first, spread]
