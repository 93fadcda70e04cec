import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { DoctorReport } from '../../src/fleet/doctor/doctor.ts'
import type { Finding } from '../../src/fleet/doctor/finding.ts'
import { judgeClocks, judgeReading } from '../../src/fleet/doctor/judge-servers.ts'
import { isPooled } from '../../src/fleet/doctor/pooler-probe.ts'
import type { ServerReading } from '../../src/fleet/doctor/server-reading.ts'
import { ShardLease } from '../../src/fleet/lease.ts'
import { insertMove } from '../../src/fleet/move/move-record.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
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
  await queryServer(
    servers,
    3,
    `create subscription ${aborted} connection 'port=1' publication none with (connect = false, slot_name = none)`,
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
      'problem leftover s4 4',
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
    expect(find(report, 'move-stopped')?.remedy).toBe(
      'npx pg-hypervault move resume 3, or npx pg-hypervault move abort 3',
    )
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
    ).toEqual(['leftover 1', 'leftover 3', 'leftover 4', 'leftover 4', 'sequence-cached 3'])
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

/** Everything that a move of shard 1 from s1 to s2 would be refused for. */
const obstacles = `
  create foreign data wrapper nothing;
  create server nowhere foreign data wrapper nothing;
  create extension citext;
  select lo_create(0);
  create foreign table shard0001.far (n integer) server nowhere;
  create table shard0001.parted (n integer) partition by range (n);
  create table shard0001.part partition of shard0001.parted default;
  create table public.parent (n integer);
  create table shard0001.child () inherits (public.parent);
  create unlogged table shard0001.fleeting (id bigint primary key);
  create table shard0001.keyless (line text);
  create table shard0001.blobs (id bigint primary key, blob oid, name public.citext);
  create aggregate shard0001.total (integer) (sfunc = int4pl, stype = integer);
  create type shard0001.span as range (subtype = integer);
  create collation shard0001.plain from "C";
  create trigger twice before update on shard0001.entities
    for each row execute function suppress_redundant_updates_trigger();
  alter table shard0001.entities enable always trigger twice;
  create table shard0001.line (id bigint primary key references shard0002.entities);
  create table public.outside (id bigint primary key references shard0001.entities);
  create view shard0001.neighbours as select id, type from shard0002.entities;
  create index broken on shard0001.blobs (blob);
  update pg_index set indisvalid = false where indexrelid = 'shard0001.broken'::regclass;
  create role hv_doctor_reader;
  grant select on shard0001.entities to hv_doctor_reader`

/** The clock of s2 is so far behind, for every session that begins from now on. */
const slowClock = `
  create schema behind;
  create function behind.clock_timestamp() returns timestamptz language sql volatile
    as $$ select pg_catalog.clock_timestamp() - interval '90 seconds' $$;
  do $$ begin execute format('alter database %I set search_path = behind, pg_catalog, public', current_database()); end $$`

describe('a doctor and the preflight of a move', () => {
  it('find the same, in the same words, each with its remedy, and nothing of it is mended', async () => {
    await using few = await createFleet(2)
    await queryServer(few, 0, obstacles)
    await queryServer(few, 1, slowClock)
    await queryServer(few, 1, 'create schema shard0001')
    await using pooler = await startTransactionPooler(few.connections[1]!, 2)
    await queryServer(
      few,
      'catalog',
      `update hypervault.servers set settings = settings || '{"port": ${pooler.port}}' where server_id = 's2'`,
    )
    await using own = await Fleet.open({ catalog: { ...few.catalogConnection } })
    const { problems } = await own.planMove(1, { to: 's2' })
    const { findings } = await own.doctor({ fix: true })
    const told = findings.map(({ what, remedy }) => `${what}: ${remedy}`)
    // What is about two servers has words of its own.
    const [clock, schema] = [problems.find((text) => text.includes('90 s apart')), problems.at(-1)]
    expect(schema).toContain('server s2 has a schema shard0001 already')
    expect(findings.filter(({ kind }) => kind === 'clock-skew')).toMatchObject([{ level: 'problem' }])
    expect(findings.filter(({ kind }) => kind === 'shard-stray')).toMatchObject([{ serverId: 's2', shardId: 1 }])
    const others = problems.filter((text) => text !== clock && text !== schema)
    expect(others.filter((text) => !told.some((finding) => finding.endsWith(text)))).toEqual([])
    expect(others.filter((text) => !/: \S/.test(text))).toEqual([])
    const pieces = [
      ...[
        'far',
        'parted',
        'part',
        'child',
        'fleeting',
        'span',
        'span_multirange',
        'broken',
        'neighbours',
        'total(integer)',
      ].map((name) => `shard0001.${name} `),
      ...[
        'trigger twice',
        'key line_id_fkey',
        'constraint outside_id_fkey on public.outside',
        'column blob',
        'collation',
        'type public.citext',
      ],
      ...['child', 'keyless', 'part'].map((name) => `table shard0001.${name} has no replica identity`),
      ...['detach partition shard0001.part', 'no inherit public.parent', 'role hv_doctor_reader'],
    ]
    expect(pieces.filter((piece) => !others.some((text) => text.includes(piece)))).toEqual([])
    expect(others).toHaveLength(20)
    expect(find({ findings } as DoctorReport, 'behind-pooler')).toMatchObject({ serverId: 's2', level: 'notice' })
    expect(findings.filter(({ isFixable }) => isFixable)).toEqual([])
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
      // The spread is that of the shards that were there first.
      [...more.map((shardId) => ['shard-immovable', shardId]), ['shards-without-values', undefined]],
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
    freeProcesses: 9,
    freeOrigins: 9,
    copyWorkers: 9,
    encoding: 'UTF8',
    effectiveWalLevel: undefined,
    slotKeepMb: -1,
    slotIdleSeconds: 0,
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
    strayDependents: new Map(),
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
    await using direct = new FleetLink(
      { serverId: 's1', settings: settingsOf(servers.connections[0]!) },
      new SecretPlaces(),
    )
    expect(await isPooled(() => direct.pool.acquire())).toBe(false)
    await using pooler = await startTransactionPooler(servers.catalogConnection, 2)
    const link = { ...servers.catalogConnection, port: pooler.port }
    await using pooled = await Fleet.open({ catalog: link })
    expect((await pooled.doctor()).findings).toContainEqual(
      expect.objectContaining({ kind: 'behind-pooler', level: 'problem', serverId: 'catalog' }),
    )
  })
})
