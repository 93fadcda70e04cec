import { isHypervaultError } from '../../../src/errors.ts'
import { Fleet } from '../../../src/fleet.ts'
import type { MoveRecord } from '../../../src/fleet/move/move-record.ts'
import type { FleetOfServers } from '../../support/fleet-servers.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { until } from '../../support/until.ts'
import { listHomes, listLeftovers } from '../fleet-query.ts'
import type { Mishaps } from './mishaps.ts'
import type { OperatorEnd, OperatorLink, OperatorOrder } from './operator-link.ts'
import type { HistoryScene } from './scene.ts'

/** Ends of an order that a mishap explains. None of them says that rows differ, or that something is wrong with the code. */
const explained: ReadonlySet<string> = new Set([
  'HV_CONNECT_FAILED',
  'HV_CONNECTION_LOST',
  'HV_POOL_TIMEOUT',
  'HV_OUTCOME_UNKNOWN',
  'HV_LEASE_LOST',
  'HV_MOVE_LEASED',
  'HV_MOVE_PAUSE',
  'HV_MOVE_UNREACHABLE',
  'HV_SERVER_BUSY',
])

/** Patience of writers on a machine that does other things as well. */
const MAX_PAUSE_MS = 15_000

/** Orders after which a move must be over, and mishaps that may befall it. */
const MAX_ORDERS = 25
const MAX_MISHAPS = 3

/** Moves shards to and fro, with mishaps, and looks after each move what is left. */
export class Player {
  readonly #fleet: FleetOfServers
  readonly #operator: OperatorLink
  readonly #mishaps: Mishaps
  readonly #scene: HistoryScene
  readonly #random: SeededRandom
  readonly #kills: number

  constructor(
    fleet: FleetOfServers,
    {
      operator,
      mishaps,
      scene,
      random,
    }: { operator: OperatorLink; mishaps: Mishaps; scene: HistoryScene; random: SeededRandom },
    kills: number,
  ) {
    this.#fleet = fleet
    this.#operator = operator
    this.#mishaps = mishaps
    this.#scene = scene
    this.#random = random
    this.#kills = kills
  }

  /** Moves one shard, whatever happens, until its move is over. */
  async play(): Promise<void> {
    await using fleet = await Fleet.open({ catalog: { ...this.#fleet.catalogConnection } })
    const shardId = this.#random.pick(this.#scene.shardIds)
    const source = await askAgain(() => homeOf(fleet, shardId))
    const to = this.#random.pick(['s1', 's2', 's3'].filter((serverId) => serverId !== source))
    const log: string[] = []
    await this.#order({ verb: 'move', id: shardId, to }, log)
    for (let orders = 0; ; orders += 1) {
      const moves = await askAgain(() => fleet.moves({ isOver: false }))
      const [move] = moves.filter((each) => each.shardId === shardId)
      if (move === undefined) break
      if (orders === MAX_ORDERS) throw new Error(`move ${move.moveId} has no end: ${log.join('\n')}`)
      await this.#order({ verb: this.#chooseVerb(move), id: move.moveId }, log, orders < MAX_MISHAPS)
    }
    await this.#lookAround(fleet, shardId, log)
  }

  #chooseVerb({ phase }: MoveRecord): OperatorOrder['verb'] {
    if (phase === 'mirroring') return this.#random.pick(['complete', 'reverse'])
    const canAbort = phase === 'preparing' || phase === 'copying' || phase === 'catching-up'
    return canAbort && this.#random.chance(0.3) ? 'abort' : 'resume'
  }

  /** Gives an order, with a mishap or without, and waits until all is up again. */
  async #order(order: Omit<OperatorOrder, 'maxPauseMs'>, log: string[], mayFail = true): Promise<void> {
    const mishap = mayFail && this.#random.chance(this.#kills) ? this.#mishaps.draw(order.verb) : undefined
    const isOwnDeath = mishap?.what === 'operator killed' && mishap.checkpoint !== undefined
    await this.#operator.ready()
    const isOver = new AbortController()
    const later =
      mishap !== undefined && mishap.checkpoint === undefined && this.#mishaps.happenLater(mishap, isOver.signal)
    let place = ''
    const end = await this.#operator.run(
      {
        ...order,
        maxPauseMs: MAX_PAUSE_MS,
        dieAt: isOwnDeath ? mishap.checkpoint : undefined,
        askAt: isOwnDeath ? undefined : mishap?.checkpoint,
      },
      async (name) => {
        place = name
        if (mishap !== undefined) await this.#mishaps.happen(mishap)
      },
    )
    isOver.abort()
    await later
    await this.#mishaps.end()
    if (isOwnDeath && end.word === 'died') this.#scene.see('operator killed')
    const story = `${order.verb} ${order.id} ${order.to ?? ''}: ${mishap?.what ?? ''} ${mishap?.place ?? ''} ${place} -> ${tell(end)}`
    log.push(story)
    this.#judge(end, mishap !== undefined, log)
  }

  #judge(end: OperatorEnd, hadMishap: boolean, log: readonly string[]): void {
    this.#scene.see(`order ${end.word === 'failed' ? end.code : end.word}`)
    if (end.word === 'done' && end.mismatches.length === 0) return
    const isExplained = end.word === 'died' ? hadMishap : end.word === 'failed' && explained.has(end.code)
    if (!isExplained) this.#scene.violate(log.join('\n'))
  }

  /** The shard is on one server, the one of the catalog, and nothing else is left of the move. */
  async #lookAround(fleet: Fleet, shardId: number, log: readonly string[]): Promise<void> {
    const home = await homeOf(fleet, shardId)
    const homes = await listHomes(this.#fleet, shardId)
    const left = await listLeftovers(this.#fleet)
    if (homes.length === 1 && homes[0] === home && left.length === 0) return
    this.#scene.violate(`at ${home}, found at ${homes.join(', ')}, left: ${left.join(', ')}\n${log.join('\n')}`)
  }
}

/** Where the catalog says that a shard lives; it may need a moment to come up. */
export async function homeOf(fleet: Fleet, shardId: number): Promise<string> {
  let home: string | undefined
  await until('the catalog answers', async () => {
    const record = await fleet.readFleet().catch(() => undefined)
    home = record?.servers.find(({ shardIds }) => shardIds.includes(shardId))?.serverId
    return home !== undefined
  })
  return home ?? ''
}

function tell(end: OperatorEnd): string {
  return end.word === 'failed' ? `${end.code} ${end.message}` : end.word
}

/** A connection to the catalog may have been cut a moment ago: what it did not answer is asked again. */
async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask()
    } catch (error) {
      if (attempt === MAX_ORDERS || !isHypervaultError(error, 'HV_CONNECTION_LOST')) throw error
    }
  }
}
