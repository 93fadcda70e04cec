import { getEventListeners } from 'node:events'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { until } from '../../support/until.ts'
import type { Accidents } from './accidents.ts'
import { Caller, type SharedAbort } from './caller.ts'
import { SHARDS, type HistoryGround } from './ground.ts'
import { HistoryModel } from './model.ts'

const CALLERS = 20
const CALLS = 8

/** Long enough for a loaded machine: whoever has not settled by then never will. */
const PATIENCE_MS = 90_000

/** Signals that many calls share. Another one takes its place after a while; every second one is aborted then. */
class SharedAborts {
  readonly #all: SharedAbort[] = []
  readonly #timer = setInterval(() => this.#abort(), 40)
  #current = this.#next()

  get current(): SharedAbort {
    return this.#current
  }

  /** Listeners that calls have left behind. */
  get listeners(): number {
    return this.#all.reduce((sum, { controller }) => sum + getEventListeners(controller.signal, 'abort').length, 0)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #abort(): void {
    const { controller, reason } = this.#current
    this.#current = this.#next()
    if (this.#all.length % 2 === 0) controller.abort(reason)
  }

  #next(): SharedAbort {
    const shared = { controller: new AbortController(), reason: new Error('a reason that many share') }
    this.#all.push(shared)
    return shared
  }
}

/** Lets many callers do things under accidents, and looks at what is left when all is quiet again. */
export async function playRound(
  ground: HistoryGround,
  accidents: readonly Accidents[],
  random: SeededRandom,
  round: number,
): Promise<HistoryModel> {
  const model = new HistoryModel()
  const aborts = new SharedAborts()
  const { datastores } = ground
  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const name = `${round}-${index}`
    return new Caller({ random: random.fork(), datastores, model, shared: () => aborts.current, name })
  })
  for (const each of accidents) each.start()
  try {
    await settles(callers.map((caller) => caller.run(CALLS)))
  } finally {
    aborts.stop()
    await Promise.all(accidents.map((each) => each.stop()))
  }
  await ground.rest()
  if (aborts.listeners > 0) model.violate('listeners were left', aborts.listeners)
  for (const shardId of SHARDS) model.checkRows(shardId, await ground.rowsOf(shardId))
  await ground.clear()
  return model
}

async function settles(calling: readonly Promise<void>[]): Promise<void> {
  let isOver = false
  const all = Promise.all(calling).finally(() => (isOver = true))
  await Promise.race([all, until('each caller settles', () => isOver, PATIENCE_MS)])
}
