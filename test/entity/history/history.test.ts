import { afterAll, beforeAll, expect, it } from 'vitest'
import { SeededRandom } from '../../support/seeded-random.ts'
import { until } from '../../support/until.ts'
import { Accidents } from './accidents.ts'
import { countOthers, HistoryGround } from './ground.ts'
import { Heap } from './heap.ts'
import { playRound } from './round.ts'

/*
 * A history of many callers under accidents, in rounds; after each the servers hold what the model says. The choices
 * follow from a seed, the moments do not. HYPERVAULT_HISTORY_SEED repeats a seed; HYPERVAULT_HISTORY_SECONDS makes the
 * history long, and then the memory is looked at too.
 */

const SEED = Number(process.env['HYPERVAULT_HISTORY_SEED'] ?? Date.now() % 2 ** 32)
const SECONDS = Number(process.env['HYPERVAULT_HISTORY_SECONDS'] ?? 2)

/** From this length on memory is measured: before, it is still growing to its usual size. */
const LONG_SECONDS = 60

/** A history that has not seen all of these has shown little. */
const wanted = [
  'put acknowledged',
  'entity read',
  'nothing read',
  'aborted',
  'refused before it was sent',
  'HV_OUTCOME_UNKNOWN',
  'HV_STATEMENT_FAILED 23514',
  'HV_STATEMENT_FAILED XY001',
  'HV_STATEMENT_FAILED 23505',
]

let ground: HistoryGround
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled)
  ground = await HistoryGround.open()
})
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled)
  await ground[Symbol.asyncDispose]()
})

/** Timers and sockets that keep this process alive. */
function countResources(): number {
  return process.getActiveResourcesInfo().filter((type) => /Timeout|TCP/.test(type)).length
}

/** Plays rounds until the time is over and everything was seen; returns how often each thing was seen. */
async function playAll(heap: Heap): Promise<Map<string, number>> {
  const random = new SeededRandom(SEED)
  const accidents = Accidents.onAll(ground, random)
  const seen = new Map<string, number>()
  const end = performance.now() + SECONDS * 1_000
  for (let round = 0; performance.now() < end || !wanted.every((what) => seen.has(what)); round += 1) {
    const model = await playRound(ground, accidents, random, round)
    expect(model.violations.slice(0, 5), `seed ${SEED}, round ${round}`).toEqual([])
    for (const [what, count] of model.seen) seen.set(what, (seen.get(what) ?? 0) + count)
    if (SECONDS >= LONG_SECONDS) heap.read()
  }
  for (const { counts } of accidents) for (const [what, count] of Object.entries(counts)) seen.set(what, count)
  return seen
}

/** Takes every connection there may be, and gives it back. */
async function expectFullPools(): Promise<void> {
  for (const { db, poolMax } of ground.stores) {
    const places = [1, 5].flatMap((shardId) => new Array<number>(poolMax).fill(shardId))
    const held = await Promise.all(places.map((shardId) => db.getConnection(shardId)))
    expect(db.stats().map(({ lent, waiting }) => [lent, waiting])).toEqual([
      [poolMax, 0],
      [poolMax, 0],
    ])
    for (const connection of held) db.putConnection(connection)
  }
}

async function expectNothingLeft(resources: number): Promise<void> {
  await Promise.all(ground.datastores.map((db) => db.disconnect()))
  for (const { created, destroyed, total } of ground.datastores.flatMap((db) => db.stats())) {
    expect([total, destroyed]).toEqual([0, created])
  }
  for (const admin of ground.admins) await until('no connection is left', async () => (await countOthers(admin)) === 0)
  await until('no timer and no socket is left', () => countResources() <= resources)
}

it(
  'a history of calls under accidents is as the model says, and leaves nothing behind',
  { timeout: 240_000 + SECONDS * 1_000 },
  async () => {
    const resources = countResources()
    const heap = new Heap()
    const seen = await playAll(heap)
    expect(unhandled).toEqual([])
    await expectFullPools()
    await expectNothingLeft(resources)
    if (SECONDS < LONG_SECONDS) return
    process.stderr.write(`seed ${SEED}: ${JSON.stringify({ ...Object.fromEntries(seen), heap: heap.summary() })}\n`)
    expect(heap.growth).toBeLessThan(0.2)
  },
)
