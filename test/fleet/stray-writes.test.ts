import { describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

const notes = `create table shard0001.notes (id int primary key, line text);
  insert into shard0001.notes select n, 'note ' || n from generate_series(1, 20) as n`

const switchedOff = (write: string): string =>
  `begin; alter table shard0001.notes disable trigger all; ${write}; alter table shard0001.notes enable trigger all; commit`

const asReplica = `set session_replication_role = replica; insert into shard0001.notes values (99, 'as a replica')`

/** How somebody gets a row into the old shard. */
const waysIn: readonly (readonly [way: string, write: string])[] = [
  ['with the triggers switched off', switchedOff("insert into shard0001.notes values (99, 'stray')")],
  [
    'with the triggers of the fence put back as they were',
    `begin; alter table shard0001.notes disable trigger user; insert into shard0001.notes values (99, 'stray');
     alter table shard0001.notes enable always trigger hv_fence, enable always trigger hv_fence_rows; commit`,
  ],
  [
    'behind another function of the fence',
    `create or replace function shard0001.hv_fence() returns trigger language plpgsql as 'begin return null; end';
     insert into shard0001.notes values (99, 'stray')`,
  ],
]

describe('a row that only the old shard has', () => {
  it('cannot come from a session that writes as a replica', async () => {
    await queryServer(servers, 0, notes)
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'fenced') await expect(queryServer(servers, 0, asReplica)).rejects.toMatchObject({ code: 'HV001' })
    }
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    await expect(queryServer(servers, 0, asReplica)).rejects.toMatchObject({ code: 'HV001' })
    await queryServer(servers, 2, `truncate shard0001.notes; insert into shard0001.notes values (1, 'one')`)
    await fleet.complete(moveId)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('keeps it from being taken away, whichever way it came in, until both sides are equal', async () => {
    await queryServer(servers, 0, notes)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    for (const [way, write] of waysIn) {
      await queryServer(servers, 0, write)
      const completing = fleet.complete(moveId)
      await expect(completing, way).rejects.toMatchObject({
        code: 'HV_MOVE_MISMATCH',
        details: { mismatches: [expect.stringContaining('notes')] },
      })
      expect(await fleet.moves()).toMatchObject([{ phase: 'mirroring' }])
      await queryServer(servers, 0, switchedOff('delete from shard0001.notes where id = 99'))
    }
    await queryServer(servers, 0, 'create table shard0001.late (id int primary key)')
    await expect(fleet.complete(moveId)).rejects.toMatchObject({
      code: 'HV_MOVE_CHANGED',
      details: { different: ['only on s1: table late'] },
    })
    await queryServer(servers, 0, 'drop table shard0001.late')
    await fleet.complete(moveId)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('is named by a reversal before the new one is dropped, and the rest is taken away by resume', async () => {
    await queryServer(servers, 0, notes)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await queryServer(servers, 0, switchedOff('delete from shard0001.notes where id = 7'))
    await expect(fleet.reverse(moveId, { maxPauseMs: 60_000 })).rejects.toMatchObject({
      code: 'HV_MOVE_MISMATCH',
      details: { mismatches: [expect.stringContaining('notes')] },
      hint: expect.stringContaining(`npx pg-hypervault move resume ${moveId}`) as string,
    })
    expect(await fleet.moves()).toMatchObject([{ phase: 'reversing', isOver: false }])
    const [[line]] = (await queryServer(servers, 2, 'select line from shard0001.notes where id = 7')) as [[string]]
    await queryServer(servers, 0, `insert into shard0001.notes values (7, '${line}')`)
    expect(await fleet.resume(moveId)).toMatchObject({ mismatches: [expect.stringContaining('notes')] })
    expect(await fleet.moves()).toMatchObject([{ phase: 'reversed', isOver: true }])
    expect(await listHomes(servers, 1)).toEqual(['s1'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('cannot come from a subscription of the user: the preflight names its tables, also of one that is switched off', async () => {
    await queryServer(servers, 0, notes)
    const { host, port, user, password, database } = servers.connections[1]!
    const name = `theirs_${database}`
    await queryServer(
      servers,
      1,
      `create schema shard0001; create table shard0001.notes (id int primary key, line text);
       create publication theirs for table shard0001.notes`,
    )
    await queryServer(servers, 1, `select pg_create_logical_replication_slot('${name}', 'pgoutput')`)
    await queryServer(
      servers,
      0,
      `create subscription ${name} connection 'host=${host} port=${port} dbname=${database} user=${user} password=${password}'
       publication theirs with (create_slot = false, slot_name = '${name}', copy_data = false)`,
    )
    await queryServer(servers, 0, `alter subscription ${name} disable`)
    const { problems } = await fleet.planMove(1, { to: 's3' })
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`table shard0001.notes is written by subscription ${name} of this server`),
      ]) as string[],
    )
    const { findings } = await fleet.doctor()
    expect(findings.some(({ what }) => what.includes(`is written by subscription ${name}`))).toBe(true)
  })
})

/** What makes the shard another one at its new place, and what takes that back. */
const changes: readonly (readonly [make: string, undo: string])[] = [
  ['create index by_line on shard0001.notes (line)', 'drop index shard0001.by_line'],
  [
    'alter table shard0001.notes add constraint few check (id < 999)',
    'alter table shard0001.notes drop constraint few',
  ],
  [
    "alter table shard0001.notes alter column line set default 'x'",
    'alter table shard0001.notes alter column line drop default',
  ],
  ['alter table shard0001.notes add column more text', 'alter table shard0001.notes drop column more'],
  [
    'create trigger quiet before update on shard0001.notes for each row execute function suppress_redundant_updates_trigger()',
    'drop trigger quiet on shard0001.notes',
  ],
  ['create policy few on shard0001.notes using (id < 9)', 'drop policy few on shard0001.notes'],
  ['grant select on shard0001.notes to public', 'revoke select on shard0001.notes from public'],
  [`comment on table shard0001.notes is 'new'`, 'comment on table shard0001.notes is null'],
  ['create table shard0001.late (id int primary key)', 'drop table shard0001.late'],
  ['create view shard0001.lines as select line from shard0001.notes', 'drop view shard0001.lines'],
  [`create function shard0001.f() returns int language sql as 'select 1'`, 'drop function shard0001.f()'],
  ['create sequence shard0001.numbers', 'drop sequence shard0001.numbers'],
  [`create type shard0001.mood as enum ('glad')`, 'drop type shard0001.mood'],
]

describe('a shard that was changed at its new place', () => {
  it('does not go back, and that is said at once, before anything waits', async () => {
    await queryServer(servers, 0, notes)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    for (const [make, undo] of changes) {
      await queryServer(servers, 2, make)
      const places: string[] = []
      const reversing = fleet.reverse(moveId, { onCheckpoint: (name) => void places.push(name) })
      await expect(reversing, make).rejects.toMatchObject({ code: 'HV_MOVE_CHANGED' })
      expect(places).toEqual([])
      await queryServer(servers, 2, undo)
    }
    // Grants and dropped columns leave traces that are no difference.
    await queryServer(servers, 2, 'drop table if exists shard0001.late')
    await queryServer(servers, 2, `insert into shard0001.notes values (100, 'later')`)
    expect(await fleet.reverse(moveId, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [] })
    expect(await queryServer(servers, 0, 'select line from shard0001.notes where id = 100')).toEqual([['later']])
    expect(await listLeftovers(servers)).toEqual([])
  })
})
