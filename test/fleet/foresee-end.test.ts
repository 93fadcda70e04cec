import { describe, expect, it } from 'vitest'
import { ShardLease } from '../../src/fleet/lease.ts'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveVerb } from '../../src/fleet/move/observe-move.ts'
import type { TestFleet } from '../support/fleet.ts'
import { queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

const SOURCE = 0
const TARGET = 2

const notes = `create table shard0001.notes (id int primary key, line text);
  insert into shard0001.notes select n, 'note ' || n from generate_series(1, 20) as n;
  create type shard0001.mood as enum ('glad')`

const switchedOff = (write: string): string =>
  `begin; alter table shard0001.notes disable trigger all; ${write}; alter table shard0001.notes enable trigger all; commit`

/** Everything that the catalog and a server have of a shard, and of moves. */
const everything = `
select 'row', hv_row::text, xmin::text from shard0001.notes as hv_row
union all select 'relation', oid::regclass::text, relfilenode::text from pg_class where relnamespace = 'shard0001'::regnamespace
union all select 'marker', hv_row::text, '' from shard0001.hv_marker as hv_row
union all select 'trigger', tgname, xmin::text from pg_trigger
union all select 'publication', pubname, xmin::text from pg_publication
union all select 'slot', slot_name, '' from pg_replication_slots where database = current_database()`

const recorded = `
select 'move', hv_row::text from hypervault.moves as hv_row
union all select 'step', hv_row::text from hypervault.move_steps as hv_row
union all select 'cleanup', hv_row::text from hypervault.cleanups as hv_row
union all select 'lease', hv_row::text from hypervault.leases as hv_row`

const sorted = (rows: unknown[][]): string[] => rows.map((row) => JSON.stringify(row)).sort()

async function readAll(): Promise<string[][]> {
  const lists = [queryServer(servers, SOURCE, everything), queryServer(servers, TARGET, everything)]
  return (await Promise.all([...lists, queryServer(servers, 'catalog', recorded)])).map(sorted)
}

/** A move of shard 1 that has its way back, or that stopped behind its copy. */
async function makeMove(isSwitched: boolean): Promise<void> {
  await queryServer(servers, SOURCE, notes)
  const onCheckpoint = (name: string): void => {
    if (!isSwitched && name === 'copy done') throw new Error('enough')
  }
  const moving = fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
  await (isSwitched ? moving : expect(moving).rejects.toThrow('enough'))
}

interface Refusal {
  readonly verb: MoveVerb
  readonly code: string
  /** How it comes to be refused. */
  readonly at: number
  readonly sql: string
  readonly names: string
}

const refusals: readonly Refusal[] = [
  {
    verb: 'complete',
    code: 'HV_MOVE_DEPENDENTS',
    at: SOURCE,
    sql: 'create table public.used (mood shard0001.mood)',
    names: 'public.used.mood',
  },
  {
    verb: 'complete',
    code: 'HV_MOVE_MISMATCH',
    at: SOURCE,
    sql: switchedOff("insert into shard0001.notes values (99, 'stray')"),
    names: 'notes',
  },
  {
    verb: 'complete',
    code: 'HV_MOVE_CHANGED',
    at: SOURCE,
    sql: `${switchedOff('delete from shard0001.notes where id = 99')}; create table shard0001.late (id int primary key)`,
    names: 'table late',
  },
  {
    verb: 'reverse',
    code: 'HV_MOVE_DEPENDENTS',
    at: TARGET,
    sql: 'create table public.used (mood shard0001.mood)',
    names: 'public.used.mood',
  },
  {
    verb: 'reverse',
    code: 'HV_MOVE_CHANGED',
    at: TARGET,
    sql: 'create index on shard0001.notes (line)',
    names: 'notes_line_idx',
  },
  {
    verb: 'reverse',
    code: 'HV_MOVE_MISMATCH',
    at: SOURCE,
    sql: switchedOff('delete from shard0001.notes where id = 7'),
    names: 'notes',
  },
  {
    verb: 'abort',
    code: 'HV_MOVE_DEPENDENTS',
    at: TARGET,
    sql: 'create table public.used (mood shard0001.mood)',
    names: 'public.used.mood',
  },
  {
    verb: 'resume',
    code: 'HV_MOVE_DEPENDENTS',
    at: TARGET,
    sql: 'create table public.used (mood shard0001.mood)',
    names: 'public.used.mood',
  },
]

describe('the plan of an end of a move', () => {
  it.each(refusals)(
    'foretells that $verb is refused with $code, and changes nothing',
    async ({ verb, code, at, sql, names }) => {
      await makeMove(verb === 'complete' || verb === 'reverse')
      await queryServer(servers, at, sql)
      // What goes on with an abort is refused for the same reason.
      if (verb === 'resume') await expect(fleet.abort(1)).rejects.toMatchObject({ code })
      const before = await readAll()
      const { problems } = await fleet.planEnd(1, verb)
      expect(problems).toMatchObject([{ code, message: expect.stringContaining(names) as string }])
      expect(await readAll()).toEqual(before)
      await expect(fleet[verb](1, { maxPauseMs: 60_000 })).rejects.toMatchObject({ code, hint: problems[0]?.hint })
    },
  )

  it('names all that stands in the way, a slot that is gone and somebody else at work as well', async () => {
    await makeMove(true)
    const [[name, slot]] = (await queryServer(servers, SOURCE, 'select subname, subslotname from pg_subscription')) as [
      [string, string],
    ]
    await queryServer(servers, SOURCE, `alter subscription ${name} disable`)
    await queryServer(servers, SOURCE, `alter subscription ${name} set (slot_name = none)`)
    await queryServer(servers, TARGET, `select pg_drop_replication_slot('${slot}')`)
    await queryServer(servers, TARGET, 'create table public.used (mood shard0001.mood)')
    await using _ = await ShardLease.take(servers.catalog, 1)
    const { problems } = await fleet.planEnd(1, 'reverse')
    const codes = problems.map(({ code }) => code)
    expect(codes.slice(0, 3)).toEqual(['HV_MOVE_LEASED', 'HV_MOVE_SLOT_LOST', 'HV_MOVE_DEPENDENTS'])
    await expect(fleet.reverse(1)).rejects.toMatchObject({ code: 'HV_MOVE_LEASED', message: problems[0]?.message })
  })

  it.each(['complete', 'reverse'] as const)('finds nothing in the way of %s while rows are written', async (verb) => {
    await makeMove(true)
    let isOver = false
    const writing = (async () => {
      for (let id = 1_000; !isOver; id += 1) {
        await queryServer(
          servers,
          TARGET,
          `insert into shard0001.notes values (${id}, 'live'); update shard0001.notes set line = line || '.' where id = 3`,
        )
      }
    })()
    for (let look = 0; look < 3; look += 1) expect((await fleet.planEnd(1, verb)).problems).toEqual([])
    isOver = true
    await writing
  })
})
