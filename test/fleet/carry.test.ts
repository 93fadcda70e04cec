import { describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

/** What an application may have in a shard. */
const application = `
  set search_path = shard0001, public;
  comment on schema shard0001 is 'It''s the first';
  create type mood as enum ('glad', 'it''s sad');
  create type point3 as (x int, y int, z int);
  create type named as (label text collate "C", at point3);
  comment on type named is 'a pair';
  comment on column named.label is 'its name';
  create function is_short(line text) returns boolean language sql immutable as 'select length(line) < 9';
  create domain percent as int not null default 7 check (value between 0 and 100);
  create domain short as text collate "C" constraint short_enough check (is_short(value));
  comment on constraint short_enough on domain short is 'nine are too many';
  create sequence tickets as int increment by 5 start with 100 cache 1;
  create function twice(n int) returns int language sql immutable as 'select n * 2';
  create table "Odd "" name" (
    id bigint generated always as identity (start with 1000 increment by 10) primary key,
    serial_no serial,
    ticket int not null default nextval('tickets'),
    who mood default 'glad', share percent, at point3,
    amount numeric(10, 2) constraint positive check (amount > 0),
    double int generated always as (twice(serial_no)) stored,
    label varchar(20) collate "C" unique,
    tags text[] not null default '{}',
    payload jsonb,
    noted int constraint "noted at last" not null default 0,
    code short
  ) with (fillfactor = 70, toast.autovacuum_enabled = false);
  alter table "Odd "" name" alter column label set statistics 500, alter column amount set (n_distinct = -0.5);
  grant usage on sequence "Odd "" name_serial_no_seq", "Odd "" name_id_seq" to hv_carry_reader;
  alter table "Odd "" name" alter column payload set storage external;
  comment on column "Odd "" name".label is 'as printed';
  create table log (id uuid primary key default gen_random_uuid(), odd bigint not null references "Odd "" name" on delete cascade, line text);
  create table bare (line text, n int);
  alter table bare replica identity full;
  create table chosen (n int not null constraint chosen_once unique, tag named, row bare, rest bare[]);
  alter table chosen replica identity using index chosen_once;
  create procedure forget() language sql as 'delete from shard0001.log';
  create index by_payload on "Odd "" name" using gin (payload);
  create index by_double on "Odd "" name" ((double + 1));
  alter index by_double alter column 1 set statistics 99;
  alter table "Odd "" name" cluster on by_double;
  create index by_odd on log (odd, lower(line)) where line is not null;
  create unique index only_glad on "Odd "" name" (label) include (amount) where who = 'glad';
  create statistics odd_stats on amount, double from "Odd "" name";
  alter statistics odd_stats set statistics 77;
  comment on statistics odd_stats is 'they go together';
  create view totals as select who, sum(amount) as total from "Odd "" name" group by who;
  create materialized view counts as select count(*) as n from log;
  create materialized view empty as select 1 as n with no data;
  create view first as select 1 as n;
  create function all_of_first() returns setof first language sql as 'select * from shard0001.first';
  create view second as select n + 1 as n from all_of_first();
  create or replace view first as select n from bare;
  alter view totals alter column total set default 0;
  create function lines() returns bigint language sql begin atomic; select count(*) from log; end;
  create function line_of(log) returns text language sql as 'select $1.line';
  create function note() returns trigger language plpgsql as
    $$ begin insert into shard0001.log (odd, line) values (new.id, 'changed'); return new; end $$;
  create trigger note_change after update on "Odd "" name" for each row when (old.amount <> new.amount) execute function note();
  create trigger never before insert on log for each statement execute function suppress_redundant_updates_trigger();
  alter table log disable trigger never;
  create rule keep as on delete to bare do instead nothing;
  create rule lose as on insert to bare do instead nothing;
  alter table bare disable rule lose;
  comment on rule keep on bare is 'nothing goes';
  alter table log enable row level security;
  create policy own_lines on log for select to hv_carry_reader using (line <> 'secret');
  comment on policy own_lines on log is 'no secrets';
  grant usage on schema shard0001 to hv_carry_reader;
  alter default privileges in schema shard0001 grant select on tables to hv_carry_reader;
  revoke trigger on bare from current_user;
  grant select (id, line), insert on log to hv_carry_reader;
  grant execute on function twice(int) to hv_carry_reader with grant option;
  revoke all on function twice(int) from public;
  insert into "Odd "" name" (amount, label, tags, payload, at)
    select n, 'label ' || n, array['a', 'b c'], '{"n": 1}', '(1,2,3)' from generate_series(1, 50) as n;
  insert into log (odd, line) select id, label from "Odd "" name";
  insert into bare select 'same', 1 from generate_series(1, 3);
  refresh materialized view counts`

/** What there is in the shard, as PostgreSQL tells it; independent of how a move reads it. */
const inventory = `
  select 'class', relname, relkind::text, relacl::text,
      concat_ws(' ', reloptions, (select toast.reloptions from pg_class as toast where toast.oid = pg_class.reltoastrelid)),
      relreplident::text || relispopulated, obj_description(oid, 'pg_class')
    from pg_class where relnamespace = 'shard0001'::regnamespace and relname not in ('hv_marker', 'hv_marker_pkey')
  union all select 'column', attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod),
      concat_ws(' ', attnotnull, attidentity, attgenerated, attstorage, attcollation::regcollation, attacl::text,
        nullif(attstattarget, -1), attoptions),
      pg_get_expr(adbin, adrelid), attnum::text, col_description(attrelid, attnum)
    from pg_attribute join pg_class on pg_class.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where relnamespace = 'shard0001'::regnamespace and relname not like 'hv_marker%' and attnum > 0
  union all select 'constraint', conname, pg_get_constraintdef(oid), contype::text, obj_description(oid, 'pg_constraint'), null, null
    from pg_constraint where connamespace = 'shard0001'::regnamespace and conname not like 'hv_marker%'
  union all select 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisreplident::text, indisclustered::text, null, null
    from pg_index join pg_class on pg_class.oid = indrelid where relnamespace = 'shard0001'::regnamespace and relname <> 'hv_marker'
  union all select 'trigger', tgname, pg_get_triggerdef(pg_trigger.oid), tgenabled::text, null, null, null
    from pg_trigger join pg_class on pg_class.oid = tgrelid
    where relnamespace = 'shard0001'::regnamespace and not tgisinternal and tgname <> 'hv_fence'
  union all select 'function', proname, pg_get_functiondef(oid), proacl::text, null, null, null
    from pg_proc where pronamespace = 'shard0001'::regnamespace and proname not in ('hv_fence', 'next_id')
  union all select 'type', typname, typtype::text, (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = pg_type.oid), typdefault,
      typcollation::regcollation::text, obj_description(oid, 'pg_type')
    from pg_type where typnamespace = 'shard0001'::regnamespace and typname not like '%hv_marker%'
  union all select 'policy', policyname::text, roles::text, cmd, qual,
      (select obj_description(oid, 'pg_policy') from pg_policy where polname = policyname), null from pg_policies where schemaname = 'shard0001'
  union all select 'rule', rulename::text, pg_get_ruledef(pg_rewrite.oid), ev_enabled::text, obj_description(pg_rewrite.oid, 'pg_rewrite'), null, null
    from pg_rewrite join pg_class on pg_class.oid = ev_class where relnamespace = 'shard0001'::regnamespace
  union all select 'default privilege', defaclrole::regrole::text, defaclobjtype::text, defaclacl::text, null, null, null
    from pg_default_acl where defaclnamespace = 'shard0001'::regnamespace
  union all select 'statistics', stxname, pg_get_statisticsobjdef(oid), stxstattarget::text, obj_description(oid, 'pg_statistic_ext'), null, null
    from pg_statistic_ext where stxnamespace = 'shard0001'::regnamespace
  union all select 'schema', nspname, nspacl::text, obj_description(oid, 'pg_namespace'), null, null, null
    from pg_namespace where nspname = 'shard0001'
  union all select 'sequence', sequencename::text, concat_ws(' ', data_type, start_value, min_value, max_value, increment_by, cycle, cache_size),
      last_value::text, null, null, null from pg_sequences where schemaname = 'shard0001'
  order by 1, 2, 3, 4`

const odd = 'shard0001."Odd "" name"'

const addRow = `insert into ${odd} (amount, label) values (1, 'later') returning id, serial_no, ticket, double`

async function createReader(): Promise<void> {
  const create = `do $$ begin create role hv_carry_reader; exception when duplicate_object or unique_violation then null; end $$`
  await queryServer(servers, 0, create)
  await queryServer(servers, 2, create)
}

describe('what an application has in a shard', () => {
  it.each([undefined, 10_000_000])(
    'is the same where the shard moves to, and works there; throttled: %s',
    async (limit) => {
      await createReader()
      await queryServer(servers, 0, application)
      const before = await queryServer(servers, 0, inventory)
      // 50, 50 and 3, and the row of the shard's own migrations.
      const how = { to: 's3', maxPauseMs: 60_000, throttleBytesPerSecond: limit }
      const { moveId, mismatches, rows } = await fleet.moveShard(1, how)
      expect({ mismatches, rows }).toEqual({ mismatches: [], rows: 104 })
      expect(await queryServer(servers, 2, inventory)).toEqual(before)
      await fleet.complete(moveId)
      const [made] = await queryServer(servers, 2, addRow)
      expect(made).toEqual(['1500', 51, 350, 102])
      await queryServer(servers, 2, `update ${odd} set amount = 5 where label = 'later'`)
      await queryServer(servers, 2, 'refresh materialized view shard0001.counts')
      expect(await queryServer(servers, 2, 'select n from shard0001.counts')).toEqual([['51']])
      await expect(queryServer(servers, 2, `insert into shard0001.log (odd) values (1)`)).rejects.toMatchObject({
        code: '23503',
      })
      await expect(queryServer(servers, 2, addRow)).rejects.toMatchObject({ code: '23505' })
      expect(await listLeftovers(servers)).toEqual([])
    },
  )

  it('comes back with all changes, those of a table without a key too', async () => {
    await createReader()
    await queryServer(servers, 0, application)
    const before = await queryServer(servers, 0, inventory)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await queryServer(servers, 2, addRow)
    await queryServer(servers, 2, `update ${odd} set amount = amount + 1; truncate shard0001.bare`)
    const all = `select (select sum(amount)::text from ${odd}), (select count(*)::int from shard0001.log where line = 'changed'),
      (select count(*)::int from shard0001.bare)`
    const there = await queryServer(servers, 2, all)
    expect(await fleet.reverse(moveId, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [], isExact: true })
    expect(await queryServer(servers, 0, all)).toEqual(there)
    expect(there).toEqual([['1327.00', 51, 0]])
    const [made] = await queryServer(servers, 0, addRow.replace('later', 'latest'))
    expect(made).toEqual(['1510', 52, 355, 104])
    const after = await queryServer(servers, 0, inventory)
    const withoutSequences = (rows: unknown[][]): unknown[][] => rows.filter(([kind]) => kind !== 'sequence')
    expect(withoutSequences(after)).toEqual(withoutSequences(before))
  })
})
