import { describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

/** What shard 1 has that others may use. */
const inside = `
  create type shard0001.mood as enum ('glad');
  create type shard0001.pair as (x int, y int);
  create domain shard0001.percent as int;
  create sequence shard0001.numbers;
  create table shard0001.notes (id int primary key, line text, mood shard0001.mood);
  create function shard0001.twice(int) returns int language sql immutable as 'select $1 * 2';
  create function shard0001.both(int, int) returns int language sql immutable as 'select $1 + $2';
  create function shard0001.note() returns trigger language plpgsql as 'begin return null; end'`

/** Name of what is made, what makes it outside, and what takes it away again. */
const outside: readonly (readonly [what: string, make: string, drop: string])[] = [
  [
    'table column shard0002.used.mood',
    `create table shard0002.used (id int, mood shard0001.mood); insert into shard0002.used values (1, 'glad')`,
    'drop table shard0002.used',
  ],
  [
    'table column public.arrays.moods',
    'create table public.arrays (moods shard0001.mood[])',
    'drop table public.arrays',
  ],
  ['table column public.rows.note', 'create table public.rows (note shard0001.notes)', 'drop table public.rows'],
  [
    'table column public.shares.share',
    'create table public.shares (share shard0001.percent)',
    'drop table public.shares',
  ],
  ['type public.half', 'create domain public.half as shard0001.percent', 'drop domain public.half'],
  [
    'domain constraint half_check on public.half',
    'create domain public.half as int constraint half_check check (shard0001.twice(value) < 9)',
    'drop domain public.half',
  ],
  [
    'composite type column public.form.mood',
    'create type public.form as (mood shard0001.mood)',
    'drop type public.form',
  ],
  [
    'default value for public.drawn.id',
    `create table public.drawn (id int default nextval('shard0001.numbers'))`,
    'drop table public.drawn',
  ],
  [
    'default value for public.doubled.n',
    'create table public.doubled (id int, n int generated always as (shard0001.twice(id)) stored)',
    'drop table public.doubled',
  ],
  [
    'table constraint small on public.checked',
    'create table public.checked (id int constraint small check (shard0001.twice(id) < 9))',
    'drop table public.checked',
  ],
  [
    'index public.by_twice',
    'create table public.found (id int); create index by_twice on public.found (shard0001.twice(id))',
    'drop table public.found',
  ],
  [
    'table constraint refers on public.refers',
    'create table public.refers (id int constraint refers references shard0001.notes)',
    'drop table public.refers',
  ],
  ['view public.lines', 'create view public.lines as select line from shard0001.notes', 'drop view public.lines'],
  [
    'materialized view public.kept',
    'create materialized view public.kept as select line from shard0001.notes',
    'drop materialized view public.kept',
  ],
  [
    'function public.count_notes()',
    'create function public.count_notes() returns bigint language sql begin atomic; select count(*) from shard0001.notes; end',
    'drop function public.count_notes()',
  ],
  [
    'function public.tell(shard0001.mood)',
    `create function public.tell(shard0001.mood) returns int language sql as 'select 1'`,
    'drop function public.tell(shard0001.mood)',
  ],
  [
    'aggregate public.total(integer)',
    'create aggregate public.total (int) (sfunc = shard0001.both, stype = int)',
    'drop aggregate public.total (int)',
  ],
  [
    'trigger notes on public.watched',
    'create table public.watched (id int); create trigger notes after insert on public.watched for each row execute function shard0001.note()',
    'drop table public.watched',
  ],
  [
    'policy few on public.guarded',
    'create table public.guarded (id int); create policy few on public.guarded using (shard0001.twice(id) < 9)',
    'drop table public.guarded',
  ],
  [
    'rule also on public.ruled',
    'create table public.ruled (id int); create rule also as on insert to public.ruled do also insert into shard0001.notes values (new.id)',
    'drop table public.ruled',
  ],
  [
    'operator public.===(integer,integer)',
    'create operator public.=== (leftarg = int, rightarg = int, function = shard0001.both)',
    'drop operator public.=== (int, int)',
  ],
  [
    'cast (shard0001.pair AS pg_catalog.text)',
    'create cast (shard0001.pair as text) with inout',
    'drop cast (shard0001.pair as text)',
  ],
  [
    'statistics object public.together',
    'create statistics public.together on id, line from shard0001.notes',
    'drop statistics public.together',
  ],
  ['table public.child', 'create table public.child (own int) inherits (shard0001.notes)', 'drop table public.child'],
  [
    'table shard0001.notes is in publication others',
    'create publication others for table shard0001.notes',
    'drop publication others',
  ],
  [
    'schema shard0001 is in publication everything',
    'create publication everything for tables in schema shard0001',
    'drop publication everything',
  ],
  ['extension citext is in schema shard0001', 'create extension citext schema shard0001', 'drop extension citext'],
]

describe('what depends on a shard from outside', () => {
  it('keeps it from moving, and every one is named at once, by the doctor in the same words', async () => {
    await queryServer(servers, 0, inside)
    // One of those that have the same name.
    const all = outside.filter(([what]) => !what.startsWith('domain constraint'))
    for (const [, make] of all) await queryServer(servers, 0, make)
    const { problems } = await fleet.planMove(1, { to: 's3' })
    expect(all.map(([what]) => what).filter((what) => !problems.some((text) => text.startsWith(what)))).toEqual([])
    const { findings } = await fleet.doctor()
    const told = findings.filter(({ shardId }) => shardId === 1).map(({ what, remedy }) => `${what}: ${remedy}`)
    expect(told.sort()).toEqual(problems.map((text) => `shard 1 cannot move: ${text}`).sort())
  })

  it('and was made after the preflight is not dropped by a completion, which changes nothing, nor by a reversal', async () => {
    await queryServer(servers, 0, inside)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    for (const [what, make, drop] of outside) {
      await queryServer(servers, 0, make)
      await expect(fleet.complete(moveId)).rejects.toMatchObject({
        code: 'HV_MOVE_DEPENDENTS',
        details: { serverId: 's1', dependents: expect.arrayContaining([expect.stringContaining(what)]) as string[] },
      })
      expect(await fleet.moves()).toMatchObject([{ phase: 'mirroring' }])
      // Still there: else this would fail.
      await queryServer(servers, 0, drop)
    }
    await queryServer(servers, 0, 'create table public.used (mood shard0001.mood)')
    const { findings } = await fleet.doctor()
    expect(findings).toMatchObject([
      { kind: 'shard-irremovable', serverId: 's1', what: expect.stringContaining('public.used.mood') as string },
    ])
    await queryServer(servers, 0, 'drop table public.used')
    await queryServer(servers, 2, 'create table public.used (mood shard0001.mood)')
    await expect(fleet.reverse(moveId)).rejects.toMatchObject({
      code: 'HV_MOVE_DEPENDENTS',
      details: { serverId: 's3' },
    })
    await fleet.complete(moveId)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('is not dropped by an abort, which goes on when it is gone', async () => {
    await queryServer(servers, 0, inside)
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name !== 'copy done') return
      await queryServer(servers, 2, `create table public.used as select 'glad'::shard0001.mood as mood`)
      throw new Error('enough')
    }
    await expect(fleet.moveShard(1, { to: 's3', onCheckpoint })).rejects.toThrow('enough')
    await expect(fleet.abort(1)).rejects.toMatchObject({ code: 'HV_MOVE_DEPENDENTS', details: { serverId: 's3' } })
    expect(await queryServer(servers, 2, 'select mood::text from public.used')).toEqual([['glad']])
    await queryServer(servers, 2, 'drop table public.used')
    await fleet.resume(1)
    expect(await listHomes(servers, 1)).toEqual(['s1'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('leaves the old shard of a rebalance where it is, with the reason, and the rest of the plan is carried out', async () => {
    await queryServer(servers, 0, inside)
    await fleet.drainServer('s1')
    const { moves } = await fleet.rebalance.plan({ by: 'count' })
    const onProgress = ({ shardId, step }: { shardId: number; step: string }): void => {
      if (shardId === 1 && step === 'turn')
        made ??= queryServer(servers, 0, 'create table public.used (mood shard0001.mood)')
    }
    let made: Promise<unknown> | undefined
    const moved = await fleet.rebalance.apply({ moves }, { maxPauseMs: 60_000, onProgress })
    await made
    expect(moved).toMatchObject([
      { shardId: 1, leftOpen: expect.stringContaining('table column public.used.mood') as string },
      { shardId: 2, leftOpen: undefined },
    ])
    expect(await listHomes(servers, 1)).toEqual(['s1', 's3'])
    expect(await listHomes(servers, 2)).toEqual(['s3'])
  })
})

describe('the schema of a shard', () => {
  it('is taken away object by object, also where its tables hang together in circles', async () => {
    await queryServer(
      servers,
      0,
      `set search_path = shard0001;
       create table "left" (id int primary key, "other" int);
       create table "right" (id int primary key, "other" int references "left");
       alter table "left" add constraint there foreign key ("other") references "right" deferrable;
       create function fits("left") returns boolean language sql immutable as 'select true';
       alter table "left" add constraint fits check (fits("left"));
       create index by_fits on "left" (fits("left"));
       create policy fitting on "left" using (fits("left"));
       create statistics two on id, "other" from "right";
       create view pairs as select "left".id from "left" join "right" using (id);
       create function all_pairs() returns setof pairs language sql as 'select * from shard0001.pairs';
       create view again as select * from all_pairs();
       create rule never as on delete to "right" do instead nothing;
       create sequence alone`,
    )
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await fleet.complete(moveId)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })
})
