import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetOfServers, FleetPlace } from '../../support/fleet-servers.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { queryServer } from '../fleet-query.ts'
import type { OperatorLink, OperatorOrder } from './operator-link.ts'
import type { HistoryScene } from './scene.ts'

/** What happens to somebody while an operator works. */
export interface Mishap {
  readonly what: 'operator killed' | 'server killed' | 'connections cut'
  readonly place: FleetPlace
  /** At a checkpoint, counted from 1; else after so many milliseconds. */
  readonly checkpoint: number | undefined
  readonly afterMs: number
}

const places: readonly FleetPlace[] = [0, 1, 2, 'catalog']

/** About as many as there are checkpoints in an order, so that few come to their end in peace. */
const MAX_CHECKPOINT = { move: 28, resume: 20, abort: 6, complete: 7, reverse: 10 }
const MAX_AFTER_MS = { move: 1_200, resume: 900, abort: 300, complete: 300, reverse: 500 }

/** Longest time for which a server stays down. */
const MAX_DOWN_MS = 600

const cutSql = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where pid <> pg_backend_pid() and random() < 0.5
    and backend_type in ('client backend', 'walsender', 'logical replication apply worker', 'logical replication worker')`

/** Brings mishaps about, and puts an end to them. */
export class Mishaps {
  readonly #fleet: FleetOfServers
  readonly #operator: OperatorLink
  readonly #scene: HistoryScene
  readonly #random: SeededRandom
  readonly #restarts = new Set<Promise<void>>()

  constructor(fleet: FleetOfServers, operator: OperatorLink, scene: HistoryScene, random: SeededRandom) {
    this.#fleet = fleet
    this.#operator = operator
    this.#scene = scene
    this.#random = random
  }

  /** What will happen during an order; the choices follow from the seed. */
  draw(verb: OperatorOrder['verb']): Mishap {
    const choice = this.#random.below(100)
    const what = choice < 35 ? 'operator killed' : choice < 75 ? 'server killed' : 'connections cut'
    const checkpoint = this.#random.chance(0.6) ? 1 + this.#random.below(MAX_CHECKPOINT[verb]) : undefined
    return { what, place: this.#random.pick(places), checkpoint, afterMs: this.#random.below(MAX_AFTER_MS[verb]) }
  }

  /** Lets it happen now. */
  async happen({ what, place }: Mishap): Promise<void> {
    this.#scene.see(what === 'server killed' ? `${place === 'catalog' ? 'catalog' : 'server'} killed` : what)
    if (what === 'operator killed') await this.#operator.kill()
    else if (what === 'connections cut') await queryServer(this.#fleet, place, cutSql).catch(() => undefined)
    else await this.#kill(place)
  }

  /** Lets it happen after its time, unless the order is over before. */
  async happenLater(mishap: Mishap, signal: AbortSignal): Promise<void> {
    await sleep(mishap.afterMs, undefined, { signal }).then(
      () => this.happen(mishap),
      () => undefined,
    )
  }

  /** Waits until all servers are up again. */
  async end(): Promise<void> {
    await Promise.all(this.#restarts)
  }

  async #kill(place: FleetPlace): Promise<void> {
    const server = this.#fleet.serverAt(place)
    await server.kill()
    const restart = sleep(this.#random.below(MAX_DOWN_MS)).then(() => server.startAgain())
    this.#restarts.add(restart)
    void restart.then(() => this.#restarts.delete(restart))
  }
}
