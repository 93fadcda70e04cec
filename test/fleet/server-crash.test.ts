import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHypervaultError } from '../../src/errors.ts'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveRecord } from '../../src/fleet/move/move-record.ts'
import { startFleet, type FleetOfServers, type FleetPlace } from '../support/fleet-servers.ts'
import { lastMove, MAX_PAUSE_MS, placeOf, WatchedShard } from './watched-shard.ts'

/*
 * Servers that are killed and started again at the places between two steps of a move, while somebody writes. What
 * follows is `resume` or `abort`, until the move is over, and the three questions. There are some thirty places and three
 * servers: each run takes every fourth place and another server each time. HYPERVAULT_CRASH_SEED repeats a choice, and
 * HYPERVAULT_CRASH_SEED=all does everything.
 */

const SEED = process.env['HYPERVAULT_CRASH_SEED'] ?? String(Date.now() % 12)
const STRIDE = 4

const victims = ['source', 'target', 'catalog'] as const
type Victim = (typeof victims)[number]

/** Places of the way back. */
const wayBack = ['fenced', 'ready to switch', 'switched', 'subscription removed at s1', 'schema removed at s3'] as const

let servers: FleetOfServers
let shard: WatchedShard

beforeAll(async () => {
  servers = await startFleet()
  shard = await WatchedShard.open(servers)
})

afterAll(async () => {
  await shard[Symbol.asyncDispose]()
  await servers[Symbol.asyncDispose]()
})

/** What this run does, out of all places with all victims. */
function choose(places: readonly string[]): [string, Victim][] {
  const all = places.flatMap((place) => victims.map((victim): [string, Victim] => [place, victim]))
  if (SEED === 'all') return all
  const first = Number(SEED)
  const some = places.filter((_, index) => index % STRIDE === first % STRIDE)
  return some.map((place, index) => [place, victims[(index + first) % victims.length] as Victim])
}

async function killAndStart(place: FleetPlace): Promise<void> {
  const server = servers.serverAt(place)
  await server.kill()
  await server.startAgain()
}

function numberOf(serverId: string): number {
  return Number(serverId.slice(1)) - 1
}

/** How an order may fail. */
const expected: ReadonlySet<string> = new Set([
  'HV_CONNECTION_LOST',
  'HV_CONNECT_FAILED',
  'HV_OUTCOME_UNKNOWN',
  'HV_MOVE_PAUSE',
  'HV_MOVE_UNREACHABLE',
])

/** Gives an order that a server which was killed may have failed. Anything else that fails is no part of this. */
async function tryOrder(order: () => Promise<unknown>): Promise<void> {
  await order().catch((error: unknown) => {
    if (!isHypervaultError(error) || !expected.has(error.code)) throw error
  })
}

/** Brings the last move to its end. */
async function bringToEnd(fleet: Fleet, shouldAbort: boolean): Promise<MoveRecord> {
  for (let orders = 0; orders < 10; orders += 1) {
    const { moveId, phase, isOver } = await lastMove(fleet)
    if (isOver) break
    const canAbort = ['preparing', 'copying', 'catching-up'].includes(phase)
    if (phase === 'mirroring') await tryOrder(() => fleet.complete(moveId))
    else if (canAbort && shouldAbort) await tryOrder(() => fleet.abort(moveId))
    else await tryOrder(() => fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS }))
  }
  return await lastMove(fleet)
}

/** Moves the shard, with a server that dies on the way. */
async function moveWith(place: string, victim: Victim, shouldAbort: boolean, how: object = {}): Promise<void> {
  const source = shard.home
  const to = source === 's1' ? 's3' : 's1'
  const killed = { source: numberOf(source), target: numberOf(to), catalog: 'catalog' as const }[victim]
  let isKilled = false
  const onCheckpoint = async (name: string): Promise<void> => {
    if (isKilled || placeOf(name, to) !== place) return
    isKilled = true
    await killAndStart(killed)
  }
  const move = await shard.withWriter(async () => {
    await using fleet = await shard.openFleet()
    await tryOrder(() => fleet.moveShard(1, { to, onCheckpoint, maxPauseMs: MAX_PAUSE_MS, ...how }))
    expect(isKilled).toBe(true)
    return await bringToEnd(fleet, shouldAbort)
  })
  await shard.expectAllThere(move, move.phase === 'aborted' ? source : to)
}

/** Moves the shard away and back, with a server that dies on the way back. */
async function reverseWith(place: string, victim: Victim): Promise<void> {
  await using fleet = await shard.openFleet()
  if (shard.home !== 's1') {
    const { moveId } = await fleet.moveShard(1, { to: 's1', maxPauseMs: MAX_PAUSE_MS })
    await fleet.complete(moveId)
  }
  const killed = { source: 0, target: 2, catalog: 'catalog' as const }[victim]
  const onCheckpoint = (name: string): Promise<void> => (name === place ? killAndStart(killed) : Promise.resolve())
  await shard.withWriter(async () => {
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: MAX_PAUSE_MS })
    await tryOrder(() => fleet.reverse(moveId, { onCheckpoint, maxPauseMs: MAX_PAUSE_MS }))
    await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
  })
  await shard.expectAllThere(await lastMove(fleet), 's1')
}

describe('a server that is killed and started again', () => {
  it('at any place of a move is followed by resume or abort, and nothing is lost', { timeout: 1_200_000 }, async () => {
    const places = await shard.listPlaces()
    for (const [index, [place, victim]] of choose(places).entries()) {
      await moveWith(place, victim, index % 2 === 1).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, ${victim} killed at "${place}"`, { cause: error })
      })
    }
  })

  it('on the way back is followed by the same again', { timeout: 600_000 }, async () => {
    const all = wayBack.flatMap((place) => victims.map((victim): [string, Victim] => [place, victim]))
    const chosen = SEED === 'all' ? all : [all[Number(SEED) % all.length] as [string, Victim]]
    for (const [place, victim] of chosen) {
      await reverseWith(place, victim).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, ${victim} killed at "${place}"`, { cause: error })
      })
    }
  })

  it.each(['source', 'target'] as const)(
    'as the %s of a throttled copy is followed by resume, and nothing is lost',
    { timeout: 120_000 },
    (victim) => moveWith('throttled copy: entities copied', victim, false, { throttleBytesPerSecond: 10_000_000 }),
  )

  it('as the new home right after the switch keeps the way back', { timeout: 120_000 }, async () => {
    await using fleet = await shard.openFleet()
    const source = shard.home
    const to = source === 's1' ? 's3' : 's1'
    const onCheckpoint = (name: string): Promise<void> =>
      name === 'switched' ? killAndStart(numberOf(to)) : Promise.resolve()
    await shard.withWriter(async () => {
      await tryOrder(() => fleet.moveShard(1, { to, onCheckpoint, maxPauseMs: MAX_PAUSE_MS }))
      const { moveId } = await lastMove(fleet)
      expect(await fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS })).toMatchObject({ mismatches: [] })
      expect(await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })).toMatchObject({ mismatches: [], isExact: true })
    })
    await shard.expectAllThere(await lastMove(fleet), source)
  })
})
