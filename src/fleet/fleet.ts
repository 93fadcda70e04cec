import { assertCallOptions, type CheckedCall } from '../arguments/call-options.ts'
import { Catalog } from '../catalog/catalog.ts'
import { currentActor } from '../catalog/change.ts'
import { addServers, changeSettings, joinServers, removeServer, setServerState } from '../catalog/fleet-changes.ts'
import type { FleetRecord } from '../catalog/fleet-record.ts'
import { listChanges, type FleetChange } from '../catalog/history.ts'
import type { ServerSettings } from '../catalog/server-settings.ts'
import { SecretPlaces } from '../catalog/secret-places.ts'
import { ServerDirectory } from '../catalog/server-directory.ts'
import { assertHeld, changeSpread } from '../catalog/spread.ts'
import { HypervaultError } from '../errors.ts'
import { DEFAULT_EPOCH_MS } from '../key/layout.ts'
import { assertShardId } from '../key/shard-id.ts'
import { writeSpread, type SpreadFailure } from '../schema/record-spread.ts'
import { parseConnections, type ConnectionEntry } from '../topology/connection-entry.ts'
import { formatShardRanges, parseShardRanges } from '../topology/shard-range.ts'
import { isSameSpread, planSpread, type SpreadPlan } from '../topology/spread.ts'
import { toFleetServers } from './imported-servers.ts'
import { toResult, type MoveResult } from './move/move-result.ts'
import type {
  DryRun,
  FleetCallOptions,
  FleetOptions,
  ImportConnectionsOptions,
  MoveRunOptions,
  MoveTargetOptions,
} from './fleet-options.ts'
import { findImportedSpread } from './imported-spread.ts'
import { examine, type DoctorOptions, type DoctorReport } from './doctor/doctor.ts'
import { ShardLease } from './lease.ts'
import { abortMove, completeMove, letMirrorWrite, reverseMove } from './move/end-move.ts'
import { observeMove, type MoveStatus, type MoveVerb } from './move/observe-move.ts'
import { openMove, type MovePlace } from './move/open-move.ts'
import type { MoveContext, MoveProgress } from './move/move-context.ts'
import { getMove, insertMove, listMoves, type MoveRecord } from './move/move-record.ts'
import { assertPhase, isEnded, planEnd, type MoveEndPlan } from './move/plan-end.ts'
import { planMove, type MovePlan } from './move/plan-move.ts'
import { tryKeepProblem } from './move/journal.ts'
import { runMove } from './move/run-move.ts'
import { assertThrottle } from './move/throttle.ts'
import { Rebalance } from './rebalance/rebalance.ts'
import { Permits } from '../schema/migrations/run/permits.ts'
import { FleetLinks } from './servers.ts'

const DEFAULT_MAX_PAUSE_MS = 500

/**
 * Moves of one process that are under way at once; further ones wait for their turn. Each holds up to three connections to
 * both of its servers, of which PostgreSQL has 100 by default.
 */
const MOVES_AT_ONCE = 16

/**
 * The servers of a catalog, and the moves of shards between them.
 *
 * @example
 * await using fleet = await Fleet.open({ catalog })
 * const { moveId, pauseMs } = await fleet.moveShard(5, { to: 's3' })
 * await fleet.complete(moveId)
 */
export class Fleet implements AsyncDisposable {
  /** Spreads the shards evenly, and empties servers that are being drained. */
  readonly rebalance: Rebalance
  readonly #catalog: Catalog
  /** What looks at servers; moves have links of their own. */
  readonly #links: FleetLinks
  readonly #places: SecretPlaces
  readonly #linksOfMoves = new Set<FleetLinks>()
  readonly #turns = new Permits(MOVES_AT_ONCE)
  readonly #epochMs: number

  /** Opens the catalog. Throws TypeError or RangeError for options, `HV_CONNECT_FAILED`, `HV_CATALOG_MISSING`, `HV_CATALOG_LAYOUT`. */
  static async open(options: FleetOptions): Promise<Fleet> {
    assertCallOptions('Fleet.open', options)
    const places = new SecretPlaces(options.secrets)
    const catalog = new Catalog(options.catalog, options.logger)
    try {
      await catalog.under(options.signal).assert()
      return new Fleet(catalog, places, options)
    } catch (error) {
      await catalog.close({ timeoutMs: 0 })
      throw error
    }
  }

  private constructor(catalog: Catalog, places: SecretPlaces, { epochMs = DEFAULT_EPOCH_MS }: FleetOptions) {
    this.#catalog = catalog
    this.#places = places
    this.#links = new FleetLinks(catalog, places)
    this.#epochMs = epochMs
    this.rebalance = new Rebalance(this.#place, this)
  }

  /** The servers, and where each shard lives, at one epoch. */
  async readFleet(options: FleetCallOptions = {}): Promise<FleetRecord> {
    return this.#underOf('readFleet', options).readFleet()
  }

  /** The last changes of servers and places, the newest first; default 100. */
  async history(options: FleetCallOptions & { readonly limit?: number } = {}): Promise<FleetChange[]> {
    const { limit = 100 } = options
    return this.#underOf('history', options).withSession((session) => listChanges(session, limit))
  }

  /**
   * Registers a server: an empty one, or one that has these shards, or is to have them. Throws TypeError or RangeError for
   * its settings, `HV_SERVER_EXISTS`, `HV_SHARD_PLACED`.
   */
  async addServer(
    serverId: string,
    settings: ServerSettings,
    options: FleetCallOptions & DryRun & { readonly shardIds?: readonly number[] } = {},
  ): Promise<void> {
    const catalog = this.#underOf('addServer', options)
    const { shardIds = [] } = options
    shardIds.forEach((shardId) => assertShardId(shardId))
    await addServers(catalog, [{ serverId, settings, shardIds }], { isDryRun: options.isDryRun })
  }

  /**
   * Changes how a server is reached: sets what is given, takes out what `unset` names, and leaves everything else.
   *
   * @throws `HV_SERVER_UNKNOWN`; TypeError, RangeError for settings, and for what would leave the server unusable
   */
  async setServer(
    serverId: string,
    settings: ServerSettings,
    options: FleetCallOptions & DryRun & { readonly unset?: readonly string[] | undefined } = {},
  ): Promise<void> {
    const { unset, isDryRun } = options
    await changeSettings(this.#underOf('setServer', options), serverId, { settings, unset }, { isDryRun })
  }

  /**
   * Registers the servers of the `connections` of a datastore with their shards, all or none. A catalog holds no
   * passwords: `passwords` says for each server that has one where it is found. The first ones bring the spread along.
   *
   * @throws TypeError, RangeError that names the entry; `HV_SERVER_EXISTS`, `HV_SHARD_PLACED`; `HV_SPREAD_DIFFERS` when
   *   the shards carry several spreads
   */
  async importConnections(
    connections: readonly ConnectionEntry[],
    options: ImportConnectionsOptions & FleetCallOptions & DryRun = {},
  ): Promise<void> {
    const catalog = this.#underOf('importConnections', options)
    const { passwords = {}, spread } = options
    const parsed = parseConnections(connections)
    const servers = toFleetServers(parsed, passwords)
    const how = { spread: await findImportedSpread(parsed, spread), isDryRun: options.isDryRun }
    await joinServers(catalog, servers, how)
  }

  /**
   * Plans what it would mean to spread values over these shards, such as `1-33`, from now on. Changes nothing.
   *
   * @throws TypeError, RangeError; `HV_SHARD_UNKNOWN` for a shard that no server holds
   */
  async planSpread(shards: string, options: FleetCallOptions = {}): Promise<SpreadPlan> {
    const catalog = this.#underOf('planSpread', options)
    const after = parseShardRanges(shards, 'shards')
    const { servers, spread } = await catalog.readFleet()
    assertHeld(
      after,
      servers.flatMap(({ shardIds }) => shardIds),
    )
    return planSpread(spread, after)
  }

  /**
   * Spreads values as planned; running applications take it up with the new epoch. Rows stay where they are. Resolves to
   * the servers where the copies in the shards could not be written, which only `connections` read: repeat it for them.
   *
   * @throws `HV_SPREAD_DIFFERS` if the spread was changed since it was planned on
   */
  async applySpread({ before, after }: SpreadPlan, options: FleetCallOptions = {}): Promise<SpreadFailure[]> {
    const catalog = this.#underOf('applySpread', options)
    if (before === undefined || !isSameSpread(before, after)) await changeSpread(catalog, { before, after })
    const { servers } = new ServerDirectory(this.#places).toTopology(await catalog.readFleet())
    return await writeSpread(servers, formatShardRanges(after))
  }

  /** A drained server gets no more shards. Throws `HV_SERVER_UNKNOWN`. */
  async drainServer(serverId: string, options: FleetCallOptions & DryRun = {}): Promise<void> {
    await setServerState(this.#underOf('drainServer', options), serverId, 'draining', options)
  }

  /** Lets a drained server get shards again. Throws `HV_SERVER_UNKNOWN`. */
  async activateServer(serverId: string, options: FleetCallOptions & DryRun = {}): Promise<void> {
    await setServerState(this.#underOf('activateServer', options), serverId, 'active', options)
  }

  /** Takes an empty server out. Throws `HV_SERVER_UNKNOWN`, `HV_SERVER_IN_USE`. */
  async removeServer(serverId: string, options: FleetCallOptions & DryRun = {}): Promise<void> {
    await removeServer(this.#underOf('removeServer', options), serverId, options)
  }

  /**
   * Moves a shard to another server while it is in use. When it resolves, the shard lives there, the rows are proved, and
   * what is written there streams back: `complete()` takes the old shard away, `reverse()` brings it back.
   *
   * A failure before the switch leaves the move where it is: `resume()` goes on, `abort()` takes it away. Of many moves at
   * once 16 are under way, and the others wait for their turn; the signal ends this wait too.
   *
   * @throws TypeError, RangeError; `HV_MOVE_REFUSED` with all problems, `HV_MOVE_UNDER_WAY`, `HV_MOVE_LEASED`, `HV_MOVE_BLOCKED`,
   *   `HV_MOVE_UNREACHABLE`, `HV_MOVE_STALLED`, `HV_MOVE_PAUSE`, `HV_MOVE_CHANGED`, `HV_MOVE_MISMATCH`, or the reason of the signal
   */
  async moveShard(shardId: number, options: MoveRunOptions & MoveTargetOptions): Promise<MoveResult> {
    assertCallOptions('moveShard', options)
    assertShardId(shardId)
    const { to, maxPauseMs = DEFAULT_MAX_PAUSE_MS, throttleBytesPerSecond, signal } = options
    assertThrottle(throttleBytesPerSecond)
    return this.#turns.run(async () => {
      await using lease = await ShardLease.take(this.#catalog, shardId, signal)
      const source = await this.#findSource(shardId, to, signal)
      const wanted = { shardId, source, target: to, options: { maxPauseMs, throttleBytesPerSecond } }
      const insert = { ...wanted, actor: currentActor() }
      const move = await this.#catalog.withSession((session) => insertMove(session, insert))
      return await this.#run(move, lease, options)
    }, signal)
  }

  /**
   * Plans what {@link moveShard} would do: every step and statement, and all that stands in the way. Changes nothing.
   *
   * @throws TypeError, RangeError, `HV_SERVER_UNKNOWN`, `HV_SHARD_UNKNOWN`
   */
  async planMove(shardId: number, options: MoveTargetOptions & FleetCallOptions): Promise<MovePlan> {
    assertCallOptions('planMove', options)
    const { to, throttleBytesPerSecond, signal } = options
    assertShardId(shardId)
    assertThrottle(throttleBytesPerSecond)
    const source = await this.#findSource(shardId, to, signal)
    const [from, target] = await Promise.all([this.#links.get(source, signal), this.#links.get(to, signal)])
    return planMove({ shardId, source, target: to }, from, target, { throttleBytesPerSecond })
  }

  /**
   * Goes on with a move that a crash or a failure has interrupted. Resolves to what is proved by then: undefined for a move that
   * was aborted, and for a reversal whose snapshots went with the crash.
   */
  async resume(moveId: number, options: MoveRunOptions = {}): Promise<MoveResult | undefined> {
    assertCallOptions('resume', options)
    return this.#withMove(moveId, options.signal, async (move, lease) => {
      if (move.isOver) return toResult(move, move.report)
      if (move.phase === 'aborting') await this.#end(move, lease, options, abortMove)
      else if (move.phase === 'completing') await this.#end(move, lease, options, completeMove)
      else if (move.phase === 'reversing') await this.#end(move, lease, options, reverseMove)
      else if (move.phase === 'mirroring') await this.#end(move, lease, options, letMirrorWrite)
      else return this.#run(move, lease, options)
      // Read again: a reversal has a report of its own, or none when a crash took what it would have compared.
      return toResult(move, (await getMove(this.#catalog, moveId)).report)
    })
  }

  /** Gives up the way back and takes the old shard away. Safe to repeat. Throws `HV_MOVE_PHASE` before the switch. */
  async complete(moveId: number, options: MoveRunOptions = {}): Promise<void> {
    assertCallOptions('complete', options)
    await this.#withMove(moveId, options.signal, async (move, lease) => {
      if (move.phase === 'completed') return
      assertPhase(move, 'complete')
      await this.#end(move, lease, options, completeMove)
    })
  }

  /** Brings the shard back to where it was. Safe to repeat. Throws `HV_MOVE_PHASE` before the switch and when complete. */
  async reverse(moveId: number, options: MoveRunOptions = {}): Promise<MoveResult | undefined> {
    assertCallOptions('reverse', options)
    return this.#withMove(moveId, options.signal, async (move, lease) => {
      if (move.phase === 'reversed') return toResult(move, move.report)
      assertPhase(move, 'reverse')
      const report = await this.#end(move, lease, options, reverseMove)
      return toResult(move, report)
    })
  }

  /** Takes away what a move has made before its switch. Safe to repeat. Throws `HV_MOVE_PHASE` after it. */
  async abort(moveId: number, options: MoveRunOptions = {}): Promise<void> {
    assertCallOptions('abort', options)
    await this.#withMove(moveId, options.signal, async (move, lease) => {
      if (move.phase === 'aborted') return
      assertPhase(move, 'abort')
      await this.#end(move, lease, options, abortMove)
    })
  }

  /**
   * Plans what {@link complete}, {@link reverse}, {@link abort} or {@link resume} of a move would do, with what it would be
   * refused for: dependents, definitions and rows that differ, a slot that is gone, somebody else at work. Changes nothing.
   *
   * @throws `HV_MOVE_UNKNOWN`; `HV_MOVE_PHASE` when that is not possible now
   */
  async planEnd(moveId: number, verb: MoveVerb, options: FleetCallOptions = {}): Promise<MoveEndPlan> {
    const catalog = this.#underOf('planEnd', options)
    const move = await getMove(catalog, moveId)
    if (!isEnded(move, verb)) assertPhase(move, verb)
    return planEnd(this.#place, move, verb, options.signal)
  }

  /** The moves, the newest first; all of them, or only those that are over or not. */
  async moves(options: FleetCallOptions & { isOver?: boolean } = {}): Promise<MoveRecord[]> {
    const { signal: _, ...filter } = options
    return this.#underOf('moves', options).withSession((session) => listMoves(session, filter))
  }

  /** A move, what it has done, and how far its stream is behind; also while somebody works on it. Throws `HV_MOVE_UNKNOWN`. */
  async observe(moveId: number, options: FleetCallOptions = {}): Promise<MoveStatus> {
    return observeMove(this.#underOf('observe', options), this.#links, moveId, options.signal)
  }

  /**
   * Looks for whatever is wrong: with servers, places of shards, keys, moves, and what was left behind. Moves nothing; with
   * `fix` it repairs whatever needs no row changes. A server that is down is a finding.
   */
  async doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
    assertCallOptions('doctor', options)
    return examine(this.#place, options)
  }

  /** Closes all connections. What is under way goes on to the end of its step and fails. */
  async close(): Promise<void> {
    const links = [this.#links, ...this.#linksOfMoves]
    await Promise.all([...links, this.#catalog].map((each) => each[Symbol.asyncDispose]()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The catalog under the signal of a call, whose options are looked at. */
  #underOf(call: CheckedCall, options: FleetCallOptions): Catalog {
    assertCallOptions(call, options)
    return this.#catalog.under(options.signal)
  }

  get #place(): MovePlace {
    return { catalog: this.#catalog, links: this.#links, epochMs: this.#epochMs }
  }

  async #findSource(shardId: number, to: string, signal: AbortSignal | undefined): Promise<string> {
    const { servers } = await this.#catalog.under(signal).readFleet()
    const target = servers.find(({ serverId }) => serverId === to)
    if (target === undefined) {
      throw new HypervaultError('HV_SERVER_UNKNOWN', `the catalog has no server ${to}`, { serverId: to })
    }
    const source = servers.find(({ shardIds }) => shardIds.includes(shardId))
    if (source === undefined) {
      throw new HypervaultError('HV_SHARD_UNKNOWN', `no server holds shard ${shardId}`, { shardId })
    }
    if (source === target) throw new RangeError(`shard ${shardId} already lives on server ${to}`)
    if (target.state === 'draining') throw new RangeError(`server ${to} is being drained and gets no shards`)
    return source.serverId
  }

  async #withMove<T>(
    moveId: number,
    signal: AbortSignal | undefined,
    work: (move: MoveRecord, lease: ShardLease) => Promise<T>,
  ): Promise<T> {
    const catalog = this.#catalog.under(signal)
    const { shardId } = await getMove(catalog, moveId)
    await using lease = await ShardLease.take(this.#catalog, shardId, signal)
    // Read again: whoever had the lease before may have gone on.
    return await work(await getMove(catalog, moveId), lease)
  }

  async #run(move: MoveRecord, lease: ShardLease, options: MoveRunOptions): Promise<MoveResult> {
    const report = await this.#end(move, lease, options, runMove)
    return toResult(move, report)
  }

  async #end<T>(
    move: MoveRecord,
    lease: ShardLease,
    options: MoveRunOptions,
    work: (context: MoveContext) => Promise<T>,
  ): Promise<T> {
    await using links = new FleetLinks(this.#catalog, this.#places)
    this.#linksOfMoves.add(links)
    try {
      return await work(await openMove({ ...this.#place, links }, move, lease, options))
    } catch (error) {
      await tryKeepProblem(this.#catalog, move.moveId, error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      this.#linksOfMoves.delete(links)
    }
  }
}

export type { MoveProgress }
