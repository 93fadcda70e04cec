import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { DoctorReport } from '../../src/fleet/doctor/doctor.ts'
import type { Finding } from '../../src/fleet/doctor/finding.ts'
import { judgeClocks, judgeReading } from '../../src/fleet/doctor/judge-servers.ts'
import { isPooled } from '../../src/fleet/doctor/pooler-probe.ts'
import type { ServerReading } from '../../src/fleet/doctor/server-reading.ts'
import { ShardLease } from '../../src/fleet/lease.ts'
import { insertMove } from '../../src/fleet/move/move-record.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { placeShards } from '../../src/catalog/fleet-changes.ts'
import { provision } from '../../src/schema/provision.ts'
import { raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { countStatements } from '../support/count-statements.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { startTransactionPooler } from '../support/transaction-pooler.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

/** Servers s1 … s3 with the shards 1 … 6, two each, and s4 without any. */
let servers: TestFleet
let fleet: Fleet

beforeAll(async () => {
  servers = await createFleet(4)
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
})

afterAll(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const enough = new Error('enough')

/** A move that was aborted, and one whose stream back is not read. */
async function makeMoves(): Promise<{ aborted: string }> {
  const onCheckpoint = (): void => {
    throw enough
  }
  await expect(fleet.moveShard(4, { to: 's4', onCheckpoint })).rejects.toBe(enough)
  const [move] = await fleet.moves()
  await fleet.abort(move?.moveId ?? 0)
  await fleet.moveShard(5, { to: 's4', maxPauseMs: 60_000 })
  const [[name]] = (await queryServer(
    servers,
    2,
    "select subname from pg_subscription where subname ~ '^hv_back_2_'",
  )) as [[string]]
  await queryServer(servers, 2, `alter subscription ${name} disable`)
  return { aborted: `hv_move_${move?.moveId ?? 0}_${move?.tag ?? ''}` }
}

async function spoil(): Promise<void> {
  const { aborted } = await makeMoves()
  await queryServer(servers, 0, 'create unlogged table shard0001.notes (id bigint primary key)')
  await queryServer(servers, 0, raiseFenceSql({ shardId: 1, target: 's4', epoch: 9 }, ['entities']).join(';'))
  await queryServer(servers, 0, 'drop schema shard0002 cascade; create schema shard0003')
  await queryServer(servers, 1, 'alter sequence shard0003.table_id_seq cache 50')
  await queryServer(servers, 1, 'create table shard0003.hv_marker (marker text primary key)')
  await queryServer(
    servers,
    1,
    `insert into shard0004.entities (id, type, body) values (((1::bigint << 40) - 5) << 23, 1, '')`,
  )
  await queryServer(servers, 1, `select pg_create_logical_replication_slot('${aborted}', 'pgoutput')`)
  await queryServer(servers, 1, 'create extension citext; alter table shard0004.entities add column name public.citext')
  await queryServer(
    servers,
    1,
    `create extension ltree; create domain shard0004.path as public.ltree;
     create function shard0004.depth(public.lquery) returns integer language sql as 'select 1'`,
  )
  await queryServer(servers, 2, 'create publication hv_move_99_deadbeef')
  await queryServer(servers, 3, 'create schema shard0077')
  await servers.catalog.withSession((session) =>
    insertMove(session, { shardId: 6, source: 's3', target: 's4', options: { maxPauseMs: 1 }, actor: 'somebody' }),
  )
  await fleet.drainServer('s3')
  await fleet.addServer('s9', {
    ...settingsOf(servers.connections[0]!),
    port: 1,
    password: { env: 'HYPERVAULT_TEST_NONE' },
  })
}

const summarize = ({ findings }: DoctorReport): string[] =>
  findings
    .map(({ kind, level, serverId = 'fleet', shardId }) => `${level} ${kind} ${serverId} ${shardId ?? ''}`.trim())
    .sort()

const find = ({ findings }: DoctorReport, kind: Finding['kind']): Finding | undefined =>
  findings.find((finding) => finding.kind === kind)

describe('the doctor', () => {
  it('finds nothing in a fleet that is well', async () => {
    expect(await fleet.doctor()).toEqual({
      isHealthy: true,
      servers: ['s1', 's2', 's3', 's4'].map((serverId, at) => ({
        serverId,
        isReachable: true,
        shards: at < 3 ? 2 : 0,
      })),
      findings: [],
    })
  })

  it('finds all that is wrong at once, with what to type, and puts right what touches no row', async () => {
    await spoil()
    const report = await fleet.doctor()
    expect(report.isHealthy).toBe(false)
    expect(summarize(report)).toEqual([
      'notice keys-near-sign-bit s2 4',
      'notice leftover s2 3',
      'notice server-draining s3',
      'problem leftover s1 1',
      'problem leftover s2 4',
      'problem leftover s3',
      'problem move-stopped fleet 6',
      'problem sequence-cached s2 3',
      'problem server-unreachable s9',
      ...Array<string>(3).fill('problem server-unready s1'),
      ...Array<string>(3).fill('problem server-unready s4'),
      'problem shard-immovable s1 1',
      'problem shard-missing s1 2',
      'problem shard-stray s1 3',
      'problem shard-unplaced s4 77',
      'problem stream-stopped s4 5',
    ])
    expect(report.findings.every(({ what, remedy }) => what !== '' && remedy !== '')).toBe(true)
    expect(find(report, 'move-stopped')?.remedy).toBe('hypervault move resume 3, or hypervault move abort 3')
    const lacking = report.findings.filter(({ kind, serverId }) => kind === 'server-unready' && serverId === 's1')
    expect(lacking.map(({ what }) => what)).toEqual(
      ['citext', 'lquery', 'ltree'].map((type) => `server s1 lacks the type public.${type}`),
    )
    expect(find(report, 'shard-immovable')?.remedy).toContain('set logged')
    expect(JSON.stringify(report)).not.toContain(servers.connections[0]?.password)

    const fixed = await fleet.doctor({ fix: true })
    expect(
      fixed.findings
        .filter(({ isFixed }) => isFixed)
        .map(({ kind, shardId }) => `${kind} ${shardId}`)
        .sort(),
    ).toEqual(['leftover 1', 'leftover 3', 'leftover 4', 'sequence-cached 3'])
    expect(
      fixed.findings.every(({ isFixable, isFixed, fixProblem }) => isFixable === isFixed && fixProblem === undefined),
    ).toBe(true)
    await queryServer(servers, 0, "insert into shard0001.entities (type, body) values (1, '')")
    const after = await fleet.doctor()
    expect(after.findings.some(({ isFixable }) => isFixable)).toBe(false)
    expect((await listLeftovers(servers)).filter((what) => what.startsWith('s1') || what.startsWith('s2'))).toEqual([])
  })

  it('leaves alone what somebody works on, and says so', async () => {
    await queryServer(servers, 0, 'alter sequence shard0001.table_id_seq cache 50')
    await using _ = await ShardLease.take(servers.catalog, 1)
    const report = await fleet.doctor({ fix: true })
    expect(find(report, 'sequence-cached')).toMatchObject({
      isFixed: false,
      fixProblem: expect.stringContaining('shard 1 is being worked on by') as string,
    })
    expect(report.isHealthy).toBe(false)
  })

  it('ends when its signal says so', async () => {
    await expect(fleet.doctor({ signal: AbortSignal.abort(enough) })).rejects.toBe(enough)
  })
})

describe('a doctor of many shards', () => {
  it('sends as many statements for a hundred shards of a server as for two', async () => {
    await using few = await createFleet(2)
    const own = await Fleet.open({ catalog: { ...few.catalogConnection } })
    await own.doctor()
    const count = await countStatements(() => own.doctor())
    const more = Array.from({ length: 98 }, (_, at) => 11 + at)
    await provision([{ ...few.connections[0]!, shards: '11-109' }])
    await placeShards(few.catalog, 's1', more)
    const rows = more.map((shardId) => `create table shard${String(shardId).padStart(4, '0')}.log (line text)`)
    await queryServer(few, 0, rows.join(';'))
    let report: DoctorReport | undefined
    expect(await countStatements(async () => (report = await own.doctor()))).toBe(count)
    expect(report?.findings.map(({ kind, shardId }) => [kind, shardId])).toEqual(
      more.map((shardId) => ['shard-immovable', shardId]),
    )
    await own.close()
  })
})

describe('what a doctor makes of readings', () => {
  const ready = {
    version: 180_000,
    walLevel: 'logical',
    freeSlots: 9,
    freeSenders: 9,
    freeWorkers: 9,
    isStandby: false,
    clockMs: 0,
  }
  const reading: ServerReading = {
    serverId: 's1',
    readiness: ready,
    clockOffsetMs: 0,
    isPooled: false,
    needs: { types: [], roles: [], owners: [] },
    schemas: new Map(),
    objects: [],
    preparedTransactions: [],
    cachedSequences: [],
    highestIds: new Map(),
    shardProblems: new Map(),
  }

  it('names what a server lacks, and transactions that were forgotten', () => {
    const findings = judgeReading({
      ...reading,
      readiness: { ...ready, walLevel: 'replica', freeSlots: 0 },
      preparedTransactions: [
        { gid: "it's", seconds: 600 },
        { gid: 'young', seconds: 1 },
      ],
    })
    expect(findings.map(({ kind }) => kind)).toEqual(['server-unready', 'server-unready', 'prepared-transaction'])
    expect(findings[2]?.remedy).toContain("rollback prepared 'it''s'")
  })

  it.each([
    [1_000, undefined],
    [5_000, 'notice'],
    [90_000, 'problem'],
  ])('a clock that is %d ms ahead is %s', (clockOffsetMs, level) => {
    const [finding] = judgeClocks([
      { ...reading, clockOffsetMs },
      { serverId: 's2', clockOffsetMs: 0 },
    ])
    expect(finding?.level).toBe(level)
  })
})

describe('a pooler in transaction mode', () => {
  it('is noticed in front of a server and of the catalog', async () => {
    await using direct = new FleetLink('s1', settingsOf(servers.connections[0]!))
    expect(await isPooled(() => direct.pool.acquire())).toBe(false)
    await using pooler = await startTransactionPooler(servers.catalogConnection, 2)
    const link = { ...servers.catalogConnection, port: pooler.port }
    await using pooled = await Fleet.open({ catalog: link })
    expect((await pooled.doctor()).findings).toContainEqual(
      expect.objectContaining({ kind: 'behind-pooler', level: 'problem', serverId: 'catalog' }),
    )
  })
})
