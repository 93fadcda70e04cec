import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveRecord } from '../../src/fleet/move/move-record.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'

/*
 * An operator that dies at every place between two steps: its code goes on no further, and its connections end, as
 * those of a process that gets SIGKILL do. What follows is `resume` or `abort`, and three questions: is each
 * acknowledged write there once, is nothing left over, does the shard live where the catalog says.
 */

let servers: TestFleet
let db: Datastore
const acknowledged = new Set<string>()
const unknown = { count: 0 }
/** A machine that does other things as well needs longer than an operator would allow. */
const MAX_PAUSE_MS = 10_000

/** Operators that died; what they hold is closed at the end. */
const dead: Fleet[] = []

beforeAll(async () => {
  servers = await createFleet()
  db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
})

afterAll(async () => {
  await Promise.all([db.disconnect(), ...dead.map((fleet) => fleet.close())])
  await servers[Symbol.asyncDispose]()
})

function openFleet(): Promise<Fleet> {
  return Fleet.open({ catalog: { ...servers.catalogConnection } })
}

/** Puts while the work goes on, and remembers what was acknowledged. */
async function withWriter<T>(work: () => Promise<T>): Promise<T> {
  let isOver = false
  const writing = (async () => {
    while (!isOver) {
      try {
        acknowledged.add(String(await db.put(1, 1, { n: String(acknowledged.size) })))
      } catch (error) {
        if (isHypervaultError(error, 'HV_OUTCOME_UNKNOWN')) unknown.count += 1
        else if (!isHypervaultError(error) || error.code === 'HV_CLOSED') throw error
      }
      // A writer that never pauses may write faster than any stream can follow.
      await sleep(2)
    }
  })()
  try {
    return await work()
  } finally {
    isOver = true
    await writing
  }
}

/** Ends all connections of clients to the servers and the catalog, those of the application too. */
async function endConnections(): Promise<void> {
  const text = `
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`
  await Promise.all(['catalog' as const, 0, 1, 2].map((server) => queryServer(servers, server, text)))
}

/** Lets an operator begin, and die at this place. Rejects when it ended before it came there. */
async function dieAt(place: string, act: (fleet: Fleet, onCheckpoint: Checkpoint) => Promise<unknown>): Promise<void> {
  const fleet = await openFleet()
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

type Checkpoint = (name: string) => Promise<void>

async function expectAllThere(move: MoveRecord, home: string): Promise<void> {
  expect(db.topology.getServer(1).serverId).toBe(home)
  expect(await listHomes(servers, 1)).toEqual([home])
  expect(await listLeftovers(servers)).toEqual([])
  const server = Number(home.slice(1)) - 1
  const rows = await queryServer(servers, server, 'select id::text from shard0001.entities')
  const ids = new Set(rows.map(([id]) => id as string))
  expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([])
  expect(ids.size).toBe(rows.length)
  expect(rows.length).toBeLessThanOrEqual(acknowledged.size + unknown.count)
  expect(move.isOver).toBe(true)
}

async function lastMove(fleet: Fleet): Promise<MoveRecord> {
  const [move] = await fleet.moves()
  if (move === undefined) throw new Error('no move')
  return move
}

/** Every place of a move from s1 to s3, in order; found by making one. */
async function listPlaces(): Promise<string[]> {
  const places = new Set<string>()
  await using fleet = await openFleet()
  const { moveId } = await fleet.moveShard(1, {
    to: 's3',
    onCheckpoint: (name) => void places.add(placeOf(name, 's3')),
    maxPauseMs: MAX_PAUSE_MS,
  })
  await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
  return [...places]
}

/** The name of a place without the number of the move, and with the part that a server has in it. */
function placeOf(name: string, target: string): string {
  const [source, part] = target === 's3' ? ['s1', 's3'] : ['s3', 's1']
  return name
    .replace(/_\d+_[0-9a-f]{8}/, '')
    .replace(` at ${part}`, ' at the target')
    .replace(` at ${source}`, ' at the source')
}

describe('an operator that dies', () => {
  it('at any place of a move is followed by resume or abort, and nothing is lost', { timeout: 180_000 }, async () => {
    const places = await listPlaces()
    expect(places.length).toBeGreaterThan(15)
    for (const [index, place] of places.entries()) {
      const target = db.topology.getServer(1).serverId === 's1' ? 's3' : 's1'
      await withWriter(async () => {
        const atPlace = (onCheckpoint: Checkpoint) => (name: string) => onCheckpoint(placeOf(name, target))
        await dieAt(place, (fleet, onCheckpoint) =>
          fleet.moveShard(1, { to: target, onCheckpoint: atPlace(onCheckpoint), maxPauseMs: MAX_PAUSE_MS }),
        )
        await using fleet = await openFleet()
        const { moveId, phase } = await lastMove(fleet)
        const isAborted = index % 2 === 1 && ['preparing', 'copying', 'catching-up'].includes(phase)
        if (isAborted) await fleet.abort(moveId)
        else {
          await fleet.resume(moveId, { maxPauseMs: MAX_PAUSE_MS })
          await fleet.complete(moveId)
        }
      })
      await using fleet = await openFleet()
      const move = await lastMove(fleet)
      await expectAllThere(move, move.phase === 'aborted' ? move.source : move.target)
    }
  })

  it.each(['fenced', 'ready to switch', 'switched', 'fence removed at s1', 'schema removed at s3'])(
    'on the way back at "%s" is followed by the same again',
    { timeout: 60_000 },
    async (place) => {
      await using setUp = await openFleet()
      if (db.topology.getServer(1).serverId !== 's1') {
        const { moveId } = await setUp.moveShard(1, { to: 's1', maxPauseMs: MAX_PAUSE_MS })
        await setUp.complete(moveId)
      }
      await withWriter(async () => {
        const { moveId } = await setUp.moveShard(1, { to: 's3', maxPauseMs: MAX_PAUSE_MS })
        await dieAt(place, (fleet, onCheckpoint) => fleet.reverse(moveId, { onCheckpoint, maxPauseMs: MAX_PAUSE_MS }))
        await using fleet = await openFleet()
        await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
      })
      await using fleet = await openFleet()
      await expectAllThere(await lastMove(fleet), 's1')
    },
  )
})
