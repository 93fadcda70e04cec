import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { until } from '../support/until.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

const LEASE_CLASS = String(0x68766c73)

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

const execute = (text: string): Promise<unknown> => queryServer(servers, 0, text)

/** Aborts the one move that is under way, and looks for what it left. */
async function abortIt(): Promise<void> {
  const [move] = await fleet.moves({ isOver: false })
  await fleet.abort(move?.moveId ?? 0)
  await fleet.abort(move?.moveId ?? 0)
  expect(await listLeftovers(servers)).toEqual([])
  expect(await listHomes(servers, 1)).toEqual(['s1'])
}

describe('a move that cannot be', () => {
  it('is refused with all its problems at once, and makes nothing', async () => {
    await execute('create unlogged table shard0001.notes (id bigint primary key)')
    await execute('create table shard0001.log (line text)')
    await queryServer(servers, 2, 'create schema shard0001')
    const moving = fleet.moveShard(1, { to: 's3' })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_REFUSED' })
    const { details } = (await moving.catch((error: unknown) => error)) as { details: { problems: string[] } }
    expect(details.problems).toEqual([
      expect.stringContaining('shard0001.notes is unlogged'),
      expect.stringContaining('table shard0001.log has no replica identity'),
      expect.stringContaining('server s3 has a schema shard0001 already'),
    ])
    await queryServer(servers, 2, 'drop schema shard0001')
    await abortIt()
  })

  it('is refused for every table whose rows the stream could not tell apart, because their writers would fail', async () => {
    await execute(`set search_path = shard0001;
      create table deferred (id int primary key deferrable);
      create table generated (n int, id int generated always as (n + 1) stored primary key);
      create table plain (line json, place point[]);
      alter table plain replica identity full;
      create table silent (id int primary key);
      alter table silent replica identity nothing;
      create table "as you like" (id int primary key deferrable, line json);
      alter table "as you like" replica identity full;
      create table keyed (id int primary key, line json);
      alter table keyed replica identity full`)
    const { problems } = await fleet.planMove(1, { to: 's3' })
    expect([...problems].sort()).toEqual([
      expect.stringContaining('column id of shard0001.generated is generated'),
      expect.stringContaining('column line of shard0001."as you like" has the type json'),
      expect.stringContaining('column line of shard0001.plain has the type json'),
      expect.stringContaining('column place of shard0001.plain has the type point[]'),
      expect.stringContaining('table shard0001.silent has no replica identity'),
      expect.stringContaining('the primary key of table shard0001.deferred is deferrable'),
    ])
  })

  it('is refused for what cannot be carried, by name', async () => {
    await execute(`set search_path = shard0001;
      create type span as range (subtype = float8);
      create type to_come;
      create aggregate total (int) (sfunc = int4pl, stype = int);
      create operator class mine for type int using btree as operator 1 <, function 1 btint4cmp(int, int);
      create collation own (locale = 'C');
      create extension ltree schema shard0001;
      create table base (id int primary key, path ltree);
      create type form as (id int);
      create table typed of form (primary key (id));
      create table refers (id int primary key references base);
      alter table refers disable trigger all;
      create rule twice as on insert to base do also nothing;
      alter table base enable always rule twice;
      create publication others for table base;
      create publication all_of_it for tables in schema shard0001;
      revoke delete on refers from current_user`)
    const { problems } = await fleet.planMove(1, { to: 's3' })
    expect(problems.map((problem) => problem.split(/: |, /)[0]).sort()).toEqual([
      'aggregate shard0001.total(integer) cannot be carried',
      'collation own in schema shard0001 cannot be carried',
      'extension ltree is in schema shard0001',
      'operator class mine in schema shard0001 cannot be carried',
      'operator family mine in schema shard0001 cannot be carried',
      'rule twice of shard0001.base acts on replicated rows',
      'schema shard0001 is in publication all_of_it',
      'table shard0001.base is in publication others',
      expect.stringMatching(/^table shard0001.refers belongs to \w+$/),
      'table shard0001.refers has foreign keys that are switched off',
      'table shard0001.typed is of type shard0001.form',
      'type shard0001.span cannot be carried',
      'type shard0001.span_multirange cannot be carried',
      'type shard0001.to_come cannot be carried',
    ])
  })

  it('is refused when the target would make the shard otherwise, and leaves nothing there', async () => {
    await queryServer(
      servers,
      2,
      `create function public.meddle() returns event_trigger language plpgsql as $$ begin
         if to_regclass('shard0001.entities') is not null then
           alter table shard0001.entities add column if not exists extra integer;
         end if;
       end $$;
       create event trigger meddle on ddl_command_end when tag in ('CREATE TABLE') execute function public.meddle()`,
    )
    await expect(fleet.moveShard(1, { to: 's3' })).rejects.toMatchObject({
      code: 'HV_MOVE_REFUSED',
      details: { problems: [expect.stringContaining('unexpected column entities.extra integer')] },
    })
    expect(await listHomes(servers, 1)).toEqual(['s1'])
    await queryServer(servers, 2, 'drop event trigger meddle')
    await fleet.resume(1, { maxPauseMs: 60_000 })
    await fleet.complete(1)
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('is refused when the target refuses a part of it, before anything is copied', async () => {
    await execute('create function public.stamp() returns text language sql as $$ select 1::text $$')
    await execute('create table shard0001.notes (id bigint primary key, at text default public.stamp())')
    await expect(fleet.moveShard(1, { to: 's3' })).rejects.toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      message: expect.stringContaining('public.stamp() does not exist') as string,
    })
    expect(await listHomes(servers, 1)).toEqual(['s1'])
    await abortIt()
  })

  it.each([
    [9_999, 's3', 'RangeError'],
    [1, 's1', 'RangeError'],
  ])('of shard %d to %s is a %s', async (shardId, to, name) => {
    await expect(fleet.moveShard(shardId, { to })).rejects.toMatchObject({ name })
  })

  it('to or of what the catalog does not know has a code', async () => {
    await expect(fleet.moveShard(1, { to: 's9' })).rejects.toMatchObject({ code: 'HV_SERVER_UNKNOWN' })
    await expect(fleet.moveShard(77, { to: 's3' })).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    await expect(fleet.resume(77)).rejects.toMatchObject({ code: 'HV_MOVE_UNKNOWN', details: { moveId: 77 } })
  })

  it('to a server that is being drained is refused', async () => {
    await fleet.drainServer('s3')
    await expect(fleet.moveShard(1, { to: 's3' })).rejects.toThrow('is being drained')
  })
})

describe('two operators', () => {
  it('of whom one wins, and the other is told who holds the shard', async () => {
    await using other = await Fleet.open({ catalog: { ...servers.catalogConnection } })
    let told: unknown
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'copy done') told = await other.moveShard(1, { to: 's2' }).catch((error: unknown) => error)
    }
    const { moveId } = await fleet.moveShard(1, { to: 's3', onCheckpoint, maxPauseMs: 60_000 })
    expect(told).toMatchObject({
      code: 'HV_MOVE_LEASED',
      details: { shardId: 1, holder: expect.stringContaining(`process ${process.pid}`) as string },
    })
    await expect(other.moveShard(1, { to: 's2' })).rejects.toMatchObject({ code: 'HV_MOVE_UNDER_WAY' })
    await fleet.complete(moveId)
  })

  it('who begin at the same time: one moves the shard, and each other one is told who does', async () => {
    const others = await Promise.all([1, 2, 3].map(() => Fleet.open({ catalog: { ...servers.catalogConnection } })))
    let refused = 0
    // Whoever got the shard keeps it until the others have been told.
    const onCheckpoint = (): Promise<void> => until('the others are told', () => refused === 3)
    const begin = (each: Fleet): Promise<unknown> => each.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    const ends = await Promise.allSettled(
      [fleet, ...others].map((each) =>
        begin(each).catch((error: unknown) => {
          refused += 1
          throw error
        }),
      ),
    )
    await Promise.all(others.map((each) => each.close()))
    const told = ends.filter((end) => end.status === 'rejected').map(({ reason }) => reason as unknown)
    expect(told).toHaveLength(3)
    for (const reason of told) {
      const holder = expect.stringContaining(`process ${process.pid}`) as string
      expect(reason).toMatchObject({ code: 'HV_MOVE_LEASED', details: { shardId: 1, holder } })
    }
    const moves = await fleet.moves()
    expect(moves).toMatchObject([{ phase: 'mirroring' }])
    await fleet.complete(1)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('of whom one is just writing its name down: the other one is told that name', async () => {
    const holder = new Client(servers.catalogConnection)
    await holder.connect()
    await holder.query(`begin; select pg_advisory_lock(${LEASE_CLASS}, 1);
      insert into hypervault.leases values ('shard 1', 'ada, process 7', 1, 'infinity')`)
    const told = fleet.moveShard(1, { to: 's3' }).catch((error: unknown) => error)
    const waiting =
      "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%hypervault.leases%' and datname = current_database()"
    await until('it waits for the name', async () => (await queryServer(servers, 'catalog', waiting)).length > 0)
    await holder.query('commit')
    expect(await told).toMatchObject({ code: 'HV_MOVE_LEASED', details: { holder: 'ada, process 7' } })
    await holder.end()
  })

  it('of whom one was cut off from the catalog: it stops before its next side effect', async () => {
    await using other = await Fleet.open({ catalog: { ...servers.catalogConnection } })
    const endLease = `
      select pg_terminate_backend(pid) from pg_locks
      where locktype = 'advisory' and classid = ${LEASE_CLASS}
        and database = (select oid from pg_database where datname = current_database())`
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name !== 'marker arrived') return
      await queryServer(servers, 'catalog', endLease)
      await other.resume(1)
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint, maxPauseMs: 60_000 })
    await expect(moving).rejects.toMatchObject({ code: 'HV_LEASE_LOST' })
    await other.complete(1)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })
})

describe('a move that does not get through', () => {
  it('leaves the writers where they were when the pause would be too long', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    const moving = fleet.moveShard(1, { to: 's3', maxPauseMs: 0 })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_PAUSE', retryable: true })
    await db.put(1, 1, {})
    expect(db.topology.getServer(1).serverId).toBe('s1')
    const [move] = await fleet.moves()
    expect(move).toMatchObject({ phase: 'catching-up', problem: expect.stringContaining('longer than 0') as string })
    await expect(fleet.complete(move?.moveId ?? 0)).rejects.toMatchObject({ code: 'HV_MOVE_PHASE' })
    expect(await fleet.resume(move?.moveId ?? 0, { maxPauseMs: 5_000 })).toMatchObject({ rows: 2, mismatches: [] })
    await fleet.complete(move?.moveId ?? 0)
    await expect(fleet.abort(move?.moveId ?? 0)).rejects.toMatchObject({ code: 'HV_MOVE_PHASE' })
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('names the transactions that keep it from making a slot', async () => {
    const client = new Client(servers.connections[0])
    await client.connect()
    await client.query('begin; create table shard0002.open (id bigint primary key)')
    const moving = fleet.moveShard(1, { to: 's3', limits: { slotTimeoutMs: 200 } })
    await expect(moving).rejects.toMatchObject({
      code: 'HV_MOVE_BLOCKED',
      // A slot waits for the transactions of all databases, those of other test files too.
      details: { serverId: 's1', blockers: expect.arrayContaining([expect.stringContaining('idle in transaction')]) },
    })
    await client.end()
    await abortIt()
  })

  it('gives up the fence while a transaction holds a table of the shard, and lets writers through', async () => {
    const client = new Client(servers.connections[0])
    await client.connect()
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'compare done') await client.query('begin; lock table shard0001.entities in row exclusive mode')
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint, limits: { fenceTimeoutMs: 200 } })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_BLOCKED' })
    await client.end()
    await abortIt()
  })

  it.each(['compare done', 'fenced'])('ends when a table was made during the move, at "%s"', async (place) => {
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === place) await execute('create table shard0001.late (id bigint primary key)')
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint, maxPauseMs: 60_000 })
    await expect(moving).rejects.toMatchObject({
      code: 'HV_MOVE_CHANGED',
      details: { different: expect.arrayContaining([expect.stringContaining('late')]) as string[] },
    })
    await abortIt()
  })

  it('ends at once when its tables were changed between their making and a resume, and says what and what to type', async () => {
    const enough = new Error('enough')
    const onCheckpoint = (name: string): void => {
      if (name === 'tables done') throw enough
    }
    await expect(fleet.moveShard(1, { to: 's3', onCheckpoint })).rejects.toBe(enough)
    await execute(`alter table shard0001.entities add column note text; create table shard0001.late (line text);
      alter table shard0001.late replica identity full`)
    await expect(fleet.resume(1)).rejects.toMatchObject({
      code: 'HV_MOVE_CHANGED',
      details: {
        different: [
          'only on the source: create table shard0001.late',
          'only on the source: create table shard0001.entities (… note text …)',
          'only on the source: alter table shard0001.late replica identity full',
        ],
      },
      hint: 'Run: npx pg-hypervault move abort 1, then: npx pg-hypervault move 1 --to s3',
    })
    expect(await fleet.moves()).toMatchObject([{ phase: 'preparing' }])
    await abortIt()
    await expect(fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })).resolves.toMatchObject({ mismatches: [] })
  })

  it('lets a schema be that somebody else has made at the target while it was at rest', async () => {
    const enough = new Error('enough')
    const onCheckpoint = (name: string): void => {
      if (name === 'rehearsal done') throw enough
    }
    await expect(fleet.moveShard(1, { to: 's3', onCheckpoint })).rejects.toBe(enough)
    await queryServer(servers, 2, 'create schema shard0001; create table shard0001.precious as select 7 as n')
    await expect(fleet.resume(1)).rejects.toMatchObject({
      code: 'HV_MOVE_REFUSED',
      details: { problems: ['server s3 has a schema shard0001 already: check its contents, and drop or rename it'] },
    })
    await fleet.abort(1)
    expect(await queryServer(servers, 2, 'select n from shard0001.precious')).toEqual([[7]])
  })

  it('says what was changed when nothing arrives for that reason', async () => {
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'slot done') await execute('alter table shard0001.entities add column note text')
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint, limits: { stallTimeoutMs: 1_500 } })
    await expect(moving).rejects.toMatchObject({
      code: 'HV_MOVE_CHANGED',
      details: { different: ['only on the source: create table shard0001.entities (… note text …)'] },
    })
    await abortIt()
  })

  it('ends before the switch when rows differ, and names where', async () => {
    await execute("insert into shard0001.entities (type, body) select 1, '' from generate_series(1, 10)")
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name !== 'copy done') return
      // With the fence switched off: this is what nobody does, but a fault of a server may.
      await queryServer(
        servers,
        2,
        `alter table shard0001.entities disable trigger hv_fence;
         update shard0001.entities set type = 2 where id = (select min(id) from shard0001.entities);
         alter table shard0001.entities enable always trigger hv_fence`,
      )
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint })
    await expect(moving).rejects.toMatchObject({
      code: 'HV_MOVE_MISMATCH',
      hint: expect.stringContaining('npx pg-hypervault move abort 1') as string,
      details: { mismatches: [expect.stringContaining('entities')] },
    })
    await abortIt()
  })

  it('is given up when nothing arrives any more', async () => {
    const moving = fleet.moveShard(1, {
      to: 's3',
      onCheckpoint: async (name) => {
        if (name !== 'tables done') return
        await execute("insert into shard0001.entities (type, body) values (1, '')")
        await queryServer(servers, 2, 'alter table shard0001.entities add constraint never check (false)')
      },
      limits: { stallTimeoutMs: 1_500 },
    })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_STALLED' })
    await abortIt()
  })

  it('ends at the next wait when the signal says so, and can be resumed', async () => {
    const controller = new AbortController()
    const onCheckpoint = (name: string): void => {
      if (name === 'copy done') controller.abort(new Error('enough'))
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint, signal: controller.signal })
    await expect(moving).rejects.toThrow('enough')
    const [move] = await fleet.moves()
    expect(await fleet.resume(move?.moveId ?? 0, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [] })
    await fleet.complete(move?.moveId ?? 0)
    expect(await listLeftovers(servers)).toEqual([])
  })
})
