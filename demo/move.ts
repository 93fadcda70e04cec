import { MoveProgressLine } from '../src/cli/fleet/move-progress.ts'
import type { Output } from '../src/cli/terminal/output.ts'
import { Fleet, type MoveResult, type ServerSettings } from '../src/fleet.ts'
import type { Datastore } from '../src/index.ts'
import { EmbeddedServer, type ServerConnection } from '../src/testing.ts'
import type { StoredCity } from './load.ts'
import { readBack } from './read-back.ts'
import { Traffic, type TrafficAccount } from './traffic.ts'

/** Where a shard moves, and what it holds. */
export interface MoveDemo {
  readonly db: Datastore
  readonly catalog: string
  readonly shardId: number
  /** The cities of the shard. */
  readonly cities: readonly StoredCity[]
  readonly signal: AbortSignal
}

/** What a move under traffic has shown. */
export interface MoveShown {
  readonly move: MoveResult
  readonly traffic: TrafficAccount
  /** The first error that a caller saw. */
  readonly firstFailure: unknown
  /** Cities that came back from the new server as they were stored. */
  readonly equal: number
  readonly cities: number
}

const NEW_SERVER = 's3'
const PASSWORD_VARIABLE = 'HYPERVAULT_DEMO_PASSWORD'
const CALLERS = { writers: 8, readers: 8, paceMs: 2 }

/** Writes before the move, and again after it. */
const WRITES_ASIDE = 500

/** A pause that a loaded machine may need; what it was is told. */
const MAX_PAUSE_MS = 5_000

/** A third server joins, and a shard moves there while it is written and read. */
export async function moveUnderTraffic(demo: MoveDemo, output: Output): Promise<MoveShown> {
  const { db, catalog, shardId, cities, signal } = demo
  output.talk(`\nA third server joins: ${NEW_SERVER} …`)
  await using server = await EmbeddedServer.start({ signal })
  await using fleet = await Fleet.open({ catalog })
  await fleet.addServer(NEW_SERVER, settingsOf(server.connection))

  const source = db.topology.getServer(shardId).serverId
  output.talk(`Shard ${shardId} moves from ${source} to ${NEW_SERVER}, under 8 writers and 8 readers …`)
  await using traffic = new Traffic({ db, shardId, cities, ...CALLERS })
  await traffic.waitForWrites(WRITES_ASIDE, signal)
  const move = await runMove(fleet, shardId, output, signal)
  await traffic.waitForWrites(WRITES_ASIDE, signal)
  await fleet.complete(move.moveId, { signal })
  const account = await traffic.stop()
  const equal = await readBack(db, cities, () => undefined, signal)
  return { move, traffic: account, firstFailure: traffic.firstFailure, equal, cities: cities.length }
}

/** True when nothing was lost or doubled, nothing failed, and every row is proved. */
export function isFlawless({ move, traffic, equal, cities }: MoveShown): boolean {
  const { lost, doubled, wrongReads, failed } = traffic
  return lost + doubled + wrongReads + failed + move.mismatches.length === 0 && equal === cities
}

async function runMove(fleet: Fleet, shardId: number, output: Output, signal: AbortSignal): Promise<MoveResult> {
  using line = new MoveProgressLine(output)
  return await fleet.moveShard(shardId, {
    to: NEW_SERVER,
    maxPauseMs: MAX_PAUSE_MS,
    signal,
    onProgress: (event) => line.show(event),
  })
}

/** A catalog holds no password: it names where one is found. */
function settingsOf({ password, ...settings }: ServerConnection): ServerSettings {
  process.env[PASSWORD_VARIABLE] = password
  return { ...settings, password: { env: PASSWORD_VARIABLE } }
}
