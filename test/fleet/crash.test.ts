import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveResult } from '../../src/fleet/move/move-result.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { queryServer } from './fleet-query.ts'
import { lastMove, MAX_PAUSE_MS, placeOf, WatchedShard, type Checkpoint } from './watched-shard.ts'

/*
 * An operator that dies at every place between two steps: its code goes on no further, and its connections end, as
 * those of a process that gets SIGKILL do. What follows is `resume` or `abort`, and three questions: is each
 * acknowledged write there once, is nothing left over, does the shard live where the catalog says.
 */

let servers: TestFleet
let shard: WatchedShard

/** So fast that it takes no time. */
const THROTTLE = { throttleBytesPerSecond: 10_000_000 } as const

/** Operators that died; what they hold is closed at the end. */
const dead: Fleet[] = []

beforeAll(async () => {
  servers = await createFleet()
  shard = await WatchedShard.open(servers)
})

afterAll(async () => {
  await Promise.all([shard[Symbol.asyncDispose](), ...dead.map((fleet) => fleet.close())])
  await servers[Symbol.asyncDispose]()
})

/** Ends all connections of clients to the servers and the catalog, those of the application too. */
async function endConnections(places: readonly ('catalog' | number)[] = ['catalog', 0, 1, 2]): Promise<void> {
  const text = `
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`
  await Promise.all(places.map((server) => queryServer(servers, server, text)))
}

/** Lets an operator begin, and die at this place. Rejects when it ended before it came there. */
async function dieAt(place: string, act: (fleet: Fleet, onCheckpoint: Checkpoint) => Promise<unknown>): Promise<void> {
  const fleet = await shard.openFleet()
  dead.push(fleet)
  await new Promise<void>((resolve, reject) => {
    const onCheckpoint = (name: string): Promise<void> => {
      if (name !== place) return Promise.resolve()
      resolve()
      return new Promise(() => undefined)
    }
    act(fleet, onCheckpoint).then(() => reject(new Error(`it ended without "${place}"`)), reject)
  })
  await endConnections()
}

async function moveTo(target: string): Promise<MoveResult> {
  await using fleet = await shard.openFleet()
  return await fleet.moveShard(1, { to: target, maxPauseMs: MAX_PAUSE_MS })
}

describe('an operator that dies', () => {
  it('at any place of a move is followed by resume or abort, and nothing is lost', { timeout: 180_000 }, async () => {
    const places = await shard.listPlaces()
    expect(places.length).toBeGreaterThan(15)
    for (const [index, place] of places.entries()) {
      const target = shard.home === 's1' ? 's3' : 's1'
      await shard.withWriter(async () => {
        const atPlace = (onCheckpoint: Checkpoint) => (name: string) => onCheckpoint(placeOf(name, target))
        await dieAt(place, (fleet, onCheckpoint) =>
          fleet.moveShard(1, { to: target, onCheckpoint: atPlace(onCheckpoint), maxPauseMs: MAX_PAUSE_MS }),
        )
        await using fleet = await shard.openFleet()
        const { moveId, phase } = await lastMove(fleet)
        const isAborted = index % 2 === 1 && ['preparing', 'copying', 'catching-up'].includes(phase)
        if (isAborted) await fleet.abort(moveId)
        else {
          await fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS })
          await fleet.complete(moveId)
        }
      })
      await using fleet = await shard.openFleet()
      const move = await lastMove(fleet)
      await shard.expectAllThere(move, move.phase === 'aborted' ? move.source : move.target)
    }
  })

  it.each([
    ['throttled copy: slot made', 'abort'],
    ['throttled copy: entities copied', 'resume'],
    ['throttled copy: entities copied', 'abort'],
    ['throttled copy committed', 'resume'],
  ])('at "%s" is followed by %s, and nothing is lost', { timeout: 60_000 }, async (place, end) => {
    const source = shard.home
    const target = source === 's1' ? 's3' : 's1'
    await shard.withWriter(async () => {
      await dieAt(place, (fleet, onCheckpoint) => fleet.moveShard(1, { to: target, onCheckpoint, ...THROTTLE }))
      await using fleet = await shard.openFleet()
      const { moveId } = await lastMove(fleet)
      if (end === 'abort') return await fleet.abort(moveId)
      await fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS })
      await fleet.complete(moveId)
    })
    await using fleet = await shard.openFleet()
    await shard.expectAllThere(await lastMove(fleet), end === 'abort' ? source : target)
  })

  it('only for the catalog, and goes on with a throttled copy, is stopped by whoever takes over', async () => {
    const target = shard.home === 's1' ? 's3' : 's1'
    await using cutOff = await shard.openFleet()
    let goOn = (): void => undefined
    let moving: Promise<unknown> = Promise.resolve()
    const isWaiting = new Promise<void>((resolve) => (goOn = resolve))
    const reached = new Promise<void>((resolve, reject) => {
      const onCheckpoint = async (name: string): Promise<void> => {
        if (name !== 'throttled copy: entities copied') return
        resolve()
        await isWaiting
      }
      moving = cutOff.moveShard(1, { to: target, onCheckpoint, maxPauseMs: MAX_PAUSE_MS, ...THROTTLE })
      moving.catch(reject)
    })
    await reached
    await endConnections(['catalog'])
    await using fleet = await shard.openFleet()
    const { moveId } = await lastMove(fleet)
    await shard.withWriter(() => fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS }))
    goOn()
    await expect(moving).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST' })
    await fleet.complete(moveId)
    await shard.expectAllThere(await lastMove(fleet), target)
  })

  it.each(['fenced', 'ready to switch', 'switched', 'fence removed at s1', 'schema removed at s3'])(
    'on the way back at "%s" is followed by the same again',
    { timeout: 60_000 },
    async (place) => {
      await using setUp = await shard.openFleet()
      if (shard.home !== 's1') {
        const { moveId } = await setUp.moveShard(1, { to: 's1', maxPauseMs: MAX_PAUSE_MS })
        await setUp.complete(moveId)
      }
      await shard.withWriter(async () => {
        const { moveId } = await moveTo('s3')
        await dieAt(place, (fleet, onCheckpoint) => fleet.reverse(moveId, { onCheckpoint, maxPauseMs: MAX_PAUSE_MS }))
        await using fleet = await shard.openFleet()
        await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
      })
      await using fleet = await shard.openFleet()
      await shard.expectAllThere(await lastMove(fleet), 's1')
    },
  )

  it('in the cutover back keeps writers waiting only until resume', { timeout: 60_000 }, async () => {
    const target = shard.home === 's1' ? 's3' : 's1'
    const { moveId, source } = await moveTo(target)
    await dieAt('fenced', (operator, onCheckpoint) =>
      operator.reverse(moveId, { onCheckpoint, maxPauseMs: MAX_PAUSE_MS }),
    )
    // Its connections are new: those from before were ended, which is noticed a moment later.
    await using fleet = await shard.openFleet()
    const waiting = shard.db.put(1, 1, { n: 'waits' })
    await fleet.resume(moveId)
    expect((await shard.db.get(await waiting))?.body).toEqual({ n: 'waits' })
    expect(await lastMove(fleet)).toMatchObject({ phase: 'mirroring', isOver: false })
    await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
    expect(await shard.db.delete(await waiting)).toBe(true)
    await shard.expectAllThere(await lastMove(fleet), source)
  })
})
