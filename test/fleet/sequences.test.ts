import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { carrySequencesSql, parseSequences, sequencesSql } from '../../src/schema/closed-sequences-sql.ts'
import { openFenceSql, raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { isFenced } from '../../src/shard/statement-error.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createDatabases } from '../support/databases.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

/** Sequences of shard 1: what makes each, and what is done with it before. */
const kinds: Readonly<Record<string, { readonly how: string; readonly before?: string }>> = {
  ascending: { how: '', before: 'nextval' },
  descending: { how: 'increment -3', before: 'nextval' },
  cycling: { how: 'maxvalue 3 cycle', before: 'nextval' },
  cached: { how: 'cache 20', before: 'nextval' },
  small: { how: 'as smallint', before: 'nextval' },
  'small and descending': { how: 'as smallint increment -1' },
  whole: { how: 'as integer start 7' },
  'never called': { how: 'start 5' },
  'used up': { how: 'maxvalue 2 start 2', before: 'nextval' },
  'used up downwards': { how: 'as smallint increment -1 minvalue -2 start -2', before: 'nextval' },
  lowest: { how: 'minvalue -9223372036854775808 start -9223372036854775808', before: 'nextval' },
  $hv$: { how: '', before: 'nextval' },
  'Odd "\n\' (-32766)': { how: 'maxvalue 2 start 2', before: 'nextval' },
}

const names = Object.keys(kinds)

const quote = (name: string): string => `shard0001."${name.replaceAll('"', '""')}"`

const literal = (name: string): string => `'${quote(name).replaceAll("'", "''")}'`

/** What PostgreSQL tells of the sequences: definition and place. */
const states = `
  select sequencename::text, data_type::text, start_value, min_value, max_value, increment_by, cycle, cache_size, last_value
  from pg_sequences where schemaname = 'shard0001' order by 1`

describe('a fence', () => {
  let databases: Awaited<ReturnType<typeof createDatabases>>
  let operator: Client
  let caller: Client
  const fence = { shardId: 1, target: 's2', epoch: 2 }

  beforeAll(async () => {
    databases = await createDatabases(1)
    operator = new Client(databases.connections[0])
    caller = new Client(databases.connections[0])
    await Promise.all([operator.connect(), caller.connect()])
    await operator.query(
      'create schema shard0001; create table shard0001.t (n int generated always as identity, s serial)',
    )
    for (const [name, { how }] of Object.entries(kinds)) await operator.query(`create sequence ${quote(name)} ${how}`)
  })

  afterAll(async () => {
    await Promise.all([operator.end(), caller.end()])
    await databases.drop()
  })

  const read = async (client: Client, text: string): Promise<unknown[][]> =>
    (await client.query<unknown[]>({ text, rowMode: 'array' })).rows

  const failureOf = (client: Client, text: string): Promise<unknown> =>
    client.query(text).then(
      () => undefined,
      (error: unknown) => error,
    )

  it('closes sequences of every kind, and puts them back as they were', async () => {
    // Of the cached one this session keeps 19 numbers for itself.
    for (const name of names)
      if (kinds[name]?.before === 'nextval') await read(caller, `select nextval(${literal(name)})`)
    const before = await read(operator, states)
    await operator.query(['begin', ...raiseFenceSql(fence, ['t']), 'commit'].join(';'))
    const drawn = [...names.map(quote), 'shard0001.t_n_seq', 'shard0001.t_s_seq'].flatMap((name) => {
      const text = `'${name.replaceAll("'", "''")}'`
      return [`select nextval(${text})`, `select setval(${text}, 1)`, `select setval(${text}, 1, false)`]
    })
    for (const text of drawn) expect([text, isFenced(await failureOf(caller, text))]).toEqual([text, true])
    // Put up once more, by another operator, it still knows what they were.
    await operator.query(['begin', ...raiseFenceSql({ ...fence, token: 9 }, ['t']), 'commit'].join(';'))
    await operator.query(openFenceSql(1, 8))
    expect(isFenced(await failureOf(caller, `select nextval(${literal('ascending')})`))).toBe(true)
    await operator.query(openFenceSql(1, 9))
    expect(await read(operator, states)).toEqual(before)
    const next: unknown[] = []
    for (const name of names) next.push(await read(caller, `select nextval(${literal(name)})`).catch(String))
    expect(next).toEqual([
      [['2']],
      [['-4']],
      [['2']],
      [['21']],
      [['2']],
      [['-1']],
      [['7']],
      [['5']],
      expect.stringContaining('reached maximum value'),
      expect.stringContaining('reached minimum value'),
      [['-9223372036854775807']],
      [['2']],
      expect.stringContaining('reached maximum value'),
    ])
    const exhausted = await failureOf(caller, `select nextval(${literal('Odd "\n\' (-32766)')})`)
    expect([exhausted, isFenced(exhausted)]).toMatchObject([{ code: '2200H' }, false])
  })

  it('is carried to sequences that are closed, and to those that are open', async () => {
    await operator.query(openFenceSql(1))
    await operator.query(`select setval(${literal('$hv$')}, 5, false), setval(${literal('ascending')}, 40)`)
    await operator.query(['begin', ...raiseFenceSql(fence, ['t']), 'commit'].join(';'))
    const [row] = await read(operator, `select ${sequencesSql(1)}`)
    const text = JSON.stringify(row?.[0])
    const carried = parseSequences(text)
    expect(carried['$hv$']).toMatchObject({ last: '5', isCalled: false })
    expect(carried.ascending).toMatchObject({ last: '40', isCalled: true })
    await operator.query(carrySequencesSql(1, { ...carried, ascending: { last: '77', isCalled: true } }))
    await operator.query(openFenceSql(1))
    expect(await read(caller, `select nextval(${literal('ascending')}), nextval(${literal('$hv$')})`)).toEqual([
      ['78', '5'],
    ])
    await operator.query(carrySequencesSql(1, { ascending: { last: '90', isCalled: false } }))
    expect(await read(caller, `select nextval(${literal('ascending')})`)).toEqual([['90']])
  })
})

describe('the sequences of a shard that moves', () => {
  const tickets = `select nextval('shard0001.tickets')::int as n`

  async function useTickets(
    work: (used: { servers: TestFleet; fleet: Fleet; db: Datastore }) => Promise<void>,
  ): Promise<void> {
    await using servers = await createFleet()
    await queryServer(servers, 0, 'create sequence shard0001.tickets cache 20')
    await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    await work({ servers, fleet, db })
    expect(await listLeftovers(servers)).toEqual([])
  }

  it('give no number twice, whoever draws in the pause, there and back again', () =>
    useTickets(async ({ servers, fleet, db }) => {
      const drawn: number[] = []
      const draw = async (): Promise<void> => {
        const { rows } = await db.shard(1).query<{ n: number }>(tickets)
        drawn.push(Number(rows[0]?.n))
      }
      const pending: Promise<unknown>[] = []
      let isSet = false
      const onCheckpoint = (name: string): void => {
        if (name !== 'fenced' && name !== 'ready to switch') return
        pending.push(draw(), draw(), db.putMany(1, 1, [{}, {}, {}]))
        pending.push(
          db.transaction(1, async (tx) => drawn.push(Number((await tx.query<{ n: number }>(tickets)).rows[0]?.n))),
        )
        // A program that is no Hypervault is refused, and has drawn nothing.
        const stranger = queryServer(servers, db.topology.getServer(1).serverId === 's1' ? 0 : 2, tickets)
        pending.push(expect(stranger).rejects.toMatchObject({ code: '2200H' }))
      }
      const hooks = { maxPauseMs: 60_000, onCheckpoint }
      await draw()
      const { moveId } = await fleet.moveShard(1, { to: 's3', ...hooks })
      await Promise.all(pending)
      await draw()
      pending.length = 0
      await fleet.reverse(moveId, {
        maxPauseMs: 60_000,
        onCheckpoint: (name) => {
          onCheckpoint(name)
          if (name !== 'fenced' || isSet) return
          isSet = true
          pending.push(db.shard(1).query(`select setval('shard0001.tickets', 5000)`))
        },
      })
      await Promise.all(pending)
      await draw()
      expect(new Set(drawn).size).toBe(drawn.length)
      expect(drawn).toHaveLength(15)
      expect(drawn.at(-1)).toBeGreaterThan(5000)
    }))

  it.each(['throws', 'is killed'])('are what they were when a cutover %s, and the move is aborted', (how) =>
    useTickets(async ({ servers, fleet, db }) => {
      await db.shard(1).query(tickets)
      const before = await queryServer(servers, 0, states)
      const onCheckpoint = async (name: string): Promise<void> => {
        if (name !== 'ready to switch') return
        if (how === 'is killed') await fleet.close()
        throw new Error('enough')
      }
      await expect(fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })).rejects.toThrow()
      if (how === 'throws') expect(await queryServer(servers, 0, states)).toEqual(before)
      await using other = await Fleet.open({ catalog: { ...servers.catalogConnection } })
      const waiting = db.shard(1).query<{ n: number }>(tickets)
      await other.abort(1)
      expect(Number((await waiting).rows[0]?.n)).toBe(21)
      expect((await queryServer(servers, 0, states)).map((row) => row.slice(0, -1))).toEqual(
        before.map((row) => row.slice(0, -1)),
      )
    }),
  )
})

/** What may be done to a sequence that is closed, although nothing can be drawn from it. */
const alterations: readonly string[] = [
  'alter sequence shard0001.tickets restart',
  'alter sequence shard0001.tickets increment 5',
  'alter sequence shard0001.tickets cache 7',
  'alter sequence shard0001.tickets cycle',
  'alter sequence shard0001.tickets maxvalue 100 restart with 50',
  'alter table shard0001.own alter column n restart',
  `select setval('shard0001.tickets', -9223372036854775807)`,
]

describe('a closed sequence that is altered', () => {
  it('ends the move, or keeps the old shard, until it is closed again', async () => {
    await using servers = await createFleet()
    await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
    await queryServer(
      servers,
      0,
      'create sequence shard0001.tickets; create table shard0001.own (n int generated always as identity primary key)',
    )
    await queryServer(servers, 0, `select nextval('shard0001.tickets')`)
    const before = await queryServer(servers, 0, states)
    const alterAt =
      (server: number, text: string) =>
      async (name: string): Promise<void> => {
        if (name === 'fenced') await queryServer(servers, server, text)
      }
    const endAt = (name: string): void => {
      if (name === 'way back: slot done') throw new Error('enough')
    }
    await expect(fleet.moveShard(1, { to: 's3', onCheckpoint: endAt })).rejects.toThrow('enough')
    const closeAgain = async (server: number, failing: Promise<unknown>, text: string): Promise<void> => {
      const error = await failing.catch((thrown: unknown) => thrown)
      expect(error, text).toMatchObject({ code: 'HV_MOVE_CHANGED' })
      const [different = ''] = (error as { details: { different: string[] } }).details.different
      expect(different).toContain(`was altered behind the fence of s${server + 1}`)
      if (server !== 0 || (await fleet.moves())[0]?.phase === 'mirroring')
        await queryServer(servers, server, different.split('close it again: ')[1] ?? '')
    }
    for (const text of alterations)
      for (const server of [0, 2])
        await closeAgain(server, fleet.resume(1, { maxPauseMs: 60_000, onCheckpoint: alterAt(server, text) }), text)
    expect(await queryServer(servers, 0, states)).toEqual(before)
    expect(await fleet.resume(1, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [] })
    expect(await queryServer(servers, 2, states)).toEqual(before)
    for (const text of alterations) {
      await queryServer(servers, 0, text)
      await expect(fleet.reverse(1, { maxPauseMs: 60_000 }), text).rejects.toMatchObject({ code: 'HV_MOVE_CHANGED' })
      await closeAgain(0, fleet.complete(1), text)
    }
    await expect(queryServer(servers, 0, 'alter sequence shard0001.tickets restart with 9')).rejects.toThrow(/greater/)
    await fleet.complete(1)
    expect(await queryServer(servers, 2, states)).toEqual(before)
    expect(await listLeftovers(servers)).toEqual([])
  })
})

describe('a sequence outside the shard', () => {
  const outside: Readonly<Record<string, string>> = {
    'the default of column n of shard0001.bound': "create table shard0001.bound (n int default nextval('public.far'))",
    'the default of column n of shard0001.late':
      "create table shard0001.late (n int default nextval('public.far'::text))",
    'the default of column n of shard0001.other':
      "create table shard0001.other (n int default nextval('shard0002.table_id_seq'))",
    'the default of domain shard0001.numbered':
      "create domain shard0001.numbered as bigint default nextval('public.far')",
    'function shard0001.parsed()':
      "create function shard0001.parsed() returns bigint language sql begin atomic; select nextval('public.far'); end",
    'function shard0001.text()':
      "create function shard0001.text() returns bigint language plpgsql as $$ begin return NEXTVAL ( 'Public.Far' ); end $$",
    'function shard0001.unqualified()':
      'create function shard0001.unqualified() returns bigint language sql as $$ select nextval(\'"Far Away"\') $$',
    'the default of column n of shard0001.called, which calls function public.draw()':
      "create function public.draw() returns bigint language sql as $$ select nextval('public.far') $$; create table shard0001.called (n bigint default 1 + public.draw())",
    'trigger numbers on shard0001.triggered, which calls function public.number()':
      "create function public.number() returns trigger language plpgsql as $$ begin new.n = nextval('far'); return new; end $$; create table shard0001.triggered (n bigint); create trigger numbers before insert on shard0001.triggered for each row execute function public.number()",
    'constraint drawn in schema shard0001':
      "create table shard0001.checked (n bigint constraint drawn check (n < nextval('public.far')))",
  }
  const inside = [
    'create table shard0001.own (n int generated always as identity, s serial)',
    "create sequence shard0001.far; create table shard0001.near (n int default nextval('shard0001.far'))",
    "create function shard0001.near() returns bigint language plpgsql as $$ begin return nextval('shard0001.far') + nextval('table_id_seq'); end $$",
    "create function shard0001.no_draw() returns text language sql as $$ select 'nextval(public.far)' $$",
  ]

  it('is named by the plan of a move and by the doctor, with who draws from it; one inside is not', async () => {
    await using servers = await createFleet(2)
    await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
    await queryServer(
      servers,
      0,
      `create sequence public.far; create sequence public."Far Away"; ${inside.slice(0, 1).join(';')}`,
    )
    const listDraws = async (): Promise<string[]> =>
      (await fleet.planMove(1, { to: 's2' })).problems
        .filter((text) => text.includes('draws from sequence'))
        .map((text) => text.split(' draws from')[0] ?? '')
    await queryServer(servers, 0, Object.values(outside).join(';'))
    expect((await listDraws()).sort()).toEqual(Object.keys(outside).sort())
    const { findings } = await fleet.doctor()
    const found = findings.filter(
      ({ kind, what }) => kind === 'shard-immovable' && what.includes('draws from sequence'),
    )
    expect(found).toHaveLength(Object.keys(outside).length)
    await queryServer(
      servers,
      0,
      'drop schema shard0001 cascade; create schema shard0001; create sequence shard0001.table_id_seq',
    )
    await queryServer(servers, 0, inside.join(';'))
    expect(await listDraws()).toEqual([])
  })
})
