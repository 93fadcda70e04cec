import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveRecord } from '../../src/fleet/move/move-record.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'

/** What a test waits for at a named place of a move. */
export type Checkpoint = (name: string) => Promise<void>

/** A machine that does other things as well needs longer than an operator would allow. */
export const MAX_PAUSE_MS = 10_000

/** Shard 1 of a fleet, somebody who writes to it, and the three questions after whatever has happened to it. */
export class WatchedShard implements AsyncDisposable {
  readonly db: Datastore
  readonly #servers: TestFleet
  readonly #acknowledged = new Set<string>()
  #unknown = 0

  static async open(servers: TestFleet): Promise<WatchedShard> {
    return new WatchedShard(servers, await Datastore.open({ catalog: { ...servers.catalogConnection } }))
  }

  private constructor(servers: TestFleet, db: Datastore) {
    this.#servers = servers
    this.db = db
  }

  /** The server that the shard lives on, as the datastore knows it. */
  get home(): string {
    return this.db.topology.getServer(1).serverId
  }

  openFleet(): Promise<Fleet> {
    return Fleet.open({ catalog: { ...this.#servers.catalogConnection } })
  }

  /** Puts while the work goes on, and remembers what was acknowledged. */
  async withWriter<T>(work: () => Promise<T>): Promise<T> {
    const isOver = new AbortController()
    const writing = this.#write(isOver.signal)
    try {
      return await work()
    } finally {
      isOver.abort()
      await writing
    }
  }

  /** Is each acknowledged write there once, is nothing left over, does the shard live where the catalog says. */
  async expectAllThere(move: MoveRecord, home: string): Promise<void> {
    // Any answer of the new server brings the topology up to date, if nobody has told.
    await this.db.put(1, 1, { n: 'last' }).then((key) => this.#acknowledged.add(String(key)))
    expect(this.home).toBe(home)
    expect(await listHomes(this.#servers, 1)).toEqual([home])
    expect(await listLeftovers(this.#servers)).toEqual([])
    const server = Number(home.slice(1)) - 1
    const rows = await queryServer(this.#servers, server, 'select id::text from shard0001.entities')
    const ids = new Set(rows.map(([id]) => id as string))
    expect([...this.#acknowledged].filter((id) => !ids.has(id))).toEqual([])
    expect(ids.size).toBe(rows.length)
    expect(rows.length).toBeLessThanOrEqual(this.#acknowledged.size + this.#unknown)
    expect(move.isOver).toBe(true)
  }

  /** Every place of a move from s1 to s3, in order, found by making one, which is then reversed. */
  async listPlaces(): Promise<string[]> {
    const places = new Set<string>()
    await using fleet = await this.openFleet()
    const { moveId } = await fleet.moveShard(1, {
      to: 's3',
      onCheckpoint: (name) => void places.add(placeOf(name, 's3')),
      maxPauseMs: MAX_PAUSE_MS,
    })
    await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })
    return [...places]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.disconnect()
  }

  async #write(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#acknowledged.add(String(await this.db.put(1, 1, { n: String(this.#acknowledged.size) })))
      } catch (error) {
        if (isHypervaultError(error, 'HV_OUTCOME_UNKNOWN')) this.#unknown += 1
        else if (!isHypervaultError(error) || error.code === 'HV_CLOSED') throw error
      }
      // A writer that never pauses may write faster than any stream can follow.
      await sleep(2)
    }
  }
}

/** The last move of a fleet. */
export async function lastMove(fleet: Fleet): Promise<MoveRecord> {
  const [move] = await fleet.moves()
  if (move === undefined) throw new Error('no move')
  return move
}

/** The name of a place between s1 and s3 without the number of the move, and with the part that a server has in it. */
export function placeOf(name: string, target: string): string {
  const [source, part] = target === 's3' ? ['s1', 's3'] : ['s3', 's1']
  return name
    .replace(/_\d+_[0-9a-f]{8}/, '')
    .replace(` at ${part}`, ' at the target')
    .replace(` at ${source}`, ' at the source')
}
