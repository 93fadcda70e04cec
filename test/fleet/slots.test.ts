import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { judgeServer, type ServerReadiness } from '../../src/fleet/move/server-readiness.ts'
import { startFleet, type FleetOfServers } from '../support/fleet-servers.ts'
import { until } from '../support/until.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

let servers: FleetOfServers
let fleet: Fleet

beforeAll(async () => {
  servers = await startFleet()
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
})

afterAll(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

/** Makes a server take away every slot that nobody reads. */
async function takeSlots(server: number, setting: string): Promise<void> {
  await queryServer(servers, server, `alter system set ${setting}`)
  await queryServer(servers, server, 'select pg_reload_conf()')
  await until('a slot is lost', async () => {
    await queryServer(servers, server, "select pg_logical_emit_message(true, 'test', '')")
    await queryServer(servers, server, 'select pg_switch_wal()')
    await queryServer(servers, server, 'checkpoint')
    const lost = "select from pg_replication_slots where wal_status = 'lost'"
    return (await queryServer(servers, server, lost)).length > 0
  })
  await queryServer(servers, server, `alter system reset all`)
  await queryServer(servers, server, 'select pg_reload_conf()')
}

describe('a slot that its server has taken away', () => {
  it.each([
    ['max_slot_wal_keep_size = 1', 'wal_removed'],
    ["idle_replication_slot_timeout = '1s'", 'idle_timeout'],
  ])('by %s: there is no way back, which a reversal and the doctor say at once', async (setting, reason) => {
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    const [[name]] = (await queryServer(
      servers,
      0,
      "select subname from pg_subscription where subname ~ '^hv_back'",
    )) as [[string]]
    await queryServer(servers, 0, `alter subscription ${name} disable`)
    await takeSlots(2, setting)
    await expect(fleet.reverse(moveId)).rejects.toMatchObject({
      code: 'HV_MOVE_SLOT_LOST',
      details: { serverId: 's3', slot: name, reason },
      hint: `Run: npx pg-hypervault move complete ${moveId}`,
    })
    const { findings } = await fleet.doctor()
    expect(findings.filter(({ shardId }) => shardId === 1)).toMatchObject([
      { kind: 'slot-lost', serverId: 's3', remedy: `npx pg-hypervault move complete ${moveId}` },
    ])
    await fleet.complete(moveId)
    const back = await fleet.moveShard(1, { to: 's1', maxPauseMs: 60_000 })
    await fleet.complete(back.moveId)
    expect(await listLeftovers(servers)).toEqual([])
  })

  it.each([
    [65_536, 'throttled copy: slot made'],
    [undefined, 'way back: slot done'],
  ])('ends a move at once, before its switch; throttled: %s', async (throttleBytesPerSecond, place) => {
    const rows = `insert into shard0001.entities (type, body) select 1, hstore('x', repeat('x', 900)) from generate_series(1, 500)`
    await queryServer(servers, 0, rows)
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === place) await takeSlots(place.startsWith('way') ? 2 : 0, 'max_slot_wal_keep_size = 1')
    }
    const moving = fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, throttleBytesPerSecond, onCheckpoint })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_SLOT_LOST', details: { reason: 'wal_removed' } })
    const [move] = await fleet.moves({ isOver: false })
    await fleet.abort(move?.moveId ?? 0)
    expect(await listLeftovers(servers)).toEqual([])
  })
})

const ready: ServerReadiness = {
  version: 190_000,
  walLevel: 'logical',
  effectiveWalLevel: 'logical',
  slotKeepMb: -1,
  slotIdleSeconds: 0,
  freeSlots: 9,
  freeSenders: 9,
  freeWorkers: 9,
  freeProcesses: 9,
  freeOrigins: 9,
  copyWorkers: 9,
  encoding: 'UTF8',
  isStandby: false,
  clockMs: 0,
}

describe('the preflight', () => {
  it.each<[Partial<ServerReadiness>, RegExp | undefined]>([
    [{}, undefined],
    [{ walLevel: 'replica', effectiveWalLevel: 'replica' }, undefined],
    [{ walLevel: 'replica', effectiveWalLevel: 'logical' }, undefined],
    [{ walLevel: 'minimal', effectiveWalLevel: 'minimal' }, /wal_level below logical/],
    [{ version: 180_000, walLevel: 'replica', effectiveWalLevel: undefined }, /wal_level below logical/],
    [{ version: 150_000, effectiveWalLevel: undefined }, undefined],
    [{ slotKeepMb: 0 }, /retains more than 0 MB of WAL.*max_slot_wal_keep_size/],
    [{ slotKeepMb: 1_023 }, /max_slot_wal_keep_size/],
    [{ slotKeepMb: 1_024 }, undefined],
    [{ slotIdleSeconds: 60 }, /idle for 60 s.*idle_replication_slot_timeout/],
    [{ slotIdleSeconds: 86_400 }, undefined],
  ])('of a server with %j tells %s', (what, problem) => {
    const problems = judgeServer('s1', { ...ready, ...what })
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)])
  })
})
