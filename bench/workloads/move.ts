import { Traffic } from '../../demo/traffic.ts'
import { FleetGround } from '../ground/fleet-ground.ts'
import type { Goal } from '../measure/goals.ts'
import { rate, type Metric } from '../measure/metric.ts'
import { countSamples, runRounds, type Case, type Series } from '../measure/rounds.ts'
import { HYPERVAULT } from '../peers/hypervault.ts'
import { copyBySubscription, NATIVE_SUBSCRIPTION } from '../peers/native-subscription.ts'
import type { Bench, Plan, Workload } from '../workload.ts'

const MOVES = 20
const COPY = 'copy of a shard, nothing beside it'

/** The shard that is moved under writers, and the one that is copied alone. */
const BUSY_SHARD = 1
const QUIET_SHARD = 2

const WRITERS = 8
const WRITER_PACE_MS = 2

/** Longer than any pause that is expected: what it was is measured. */
const MAX_PAUSE_MS = 10_000

const pause: Metric = { name: 'pause', unit: 'ms', better: 'less' }
const worstPause: Metric = { name: 'worst pause', unit: 'ms', better: 'less' }
const worstWrite: Metric = { name: 'slowest write', unit: 'ms', better: 'less' }
const writes: Metric = { name: 'writes', unit: '', better: 'more' }
const flaws: Metric = { name: 'lost or doubled', unit: '', better: 'less' }

const goals: readonly Goal[] = [
  { what: 'pause of the writers, p50', of: ofMoves(pause), must: 50, aim: 15 },
  { what: 'pause of the writers, worst', of: ofMoves(worstPause), must: 250, aim: 60 },
  { what: 'writes lost or doubled', of: ofMoves(flaws), must: 0, aim: 0 },
  {
    what: 'rate of the copy',
    of: { case: COPY, contender: HYPERVAULT, metric: rate },
    against: [{ case: COPY, contender: NATIVE_SUBSCRIPTION, metric: rate }],
    must: 0.7,
    aim: 0.9,
  },
]

/** A shard that moves to and fro while it is written. */
export const move: Workload = {
  name: 'move',
  title: `move: a shard to and fro under ${WRITERS} writers, and the copy alone`,
  goals,
  run: measureMoves,
}

interface MoveSizes {
  readonly moves: number
  readonly busyRows: number
  readonly quietRows: number
}

function sizesOf({ isSmoke }: Plan): MoveSizes {
  return isSmoke
    ? { moves: 2, busyRows: 2_000, quietRows: 20_000 }
    : { moves: MOVES, busyRows: 20_000, quietRows: 300_000 }
}

async function measureMoves({ plan, signal, say }: Bench): Promise<Series[]> {
  const sizes = sizesOf(plan)
  say('move: starting two servers')
  await using ground = await FleetGround.open(signal)
  await ground.fill(BUSY_SHARD, sizes.busyRows)
  await ground.fill(QUIET_SHARD, sizes.quietRows)
  const copies = copyCase(ground, sizes.quietRows)
  const total = countSamples([copies], plan.rounds)
  return [
    ...(await moveUnderWriters(ground, sizes.moves, signal, (done) => say('moves', done, sizes.moves))),
    ...(await runRounds([copies], { rounds: plan.rounds, signal, onSample: (done) => say('copies', done, total) })),
  ]
}

async function moveUnderWriters(
  ground: FleetGround,
  moves: number,
  signal: AbortSignal,
  onMove: (done: number) => void,
): Promise<Series[]> {
  const { db, fleet } = ground
  const callers = { writers: WRITERS, readers: 0, cities: [], paceMs: WRITER_PACE_MS }
  await using traffic = new Traffic({ db, shardId: BUSY_SHARD, ...callers })
  const pauses: number[] = []
  for (let done = 1; done <= moves; done += 1) {
    const to = ground.otherServer(BUSY_SHARD)
    const { moveId, pauseMs } = await fleet.moveShard(BUSY_SHARD, { to, maxPauseMs: MAX_PAUSE_MS, signal })
    await fleet.complete(moveId, { signal })
    pauses.push(pauseMs)
    onMove(done)
  }
  const { acknowledged, lost, doubled, longestWriteMs } = await traffic.stop()
  if (traffic.firstFailure !== undefined) throw new Error('a write failed', { cause: traffic.firstFailure })
  const samples: [Metric, number[]][] = [
    [pause, pauses],
    [worstPause, [Math.max(...pauses)]],
    [worstWrite, [longestWriteMs]],
    [writes, [acknowledged]],
    [flaws, [lost + doubled]],
  ]
  return samples.map(([metric, values]) => ({ ...ofMoves(metric), samples: values }))
}

function copyCase(ground: FleetGround, rows: number): Case {
  const measure = (copy: () => Promise<number>) => async (): Promise<ReadonlyMap<Metric, number>> =>
    new Map([[rate, (rows * 1_000) / (await copy())]])
  return {
    name: COPY,
    contenders: [
      { name: HYPERVAULT, measure: measure(() => copyByMove(ground)) },
      { name: NATIVE_SUBSCRIPTION, measure: measure(() => copyBySubscription(ground, QUIET_SHARD)) },
    ],
  }
}

/** Moves a shard as far as the end of its copy, and takes the move away again. */
async function copyByMove({ fleet }: FleetGround): Promise<number> {
  const enough = new Error('the rows are copied')
  let [startedAt, tookMs] = [0, 0]
  const onCheckpoint = (name: string): void => {
    if (name === 'slot done') startedAt = performance.now()
    if (name !== 'copy done') return
    tookMs = performance.now() - startedAt
    throw enough
  }
  await fleet.moveShard(QUIET_SHARD, { to: 's2', onCheckpoint }).catch((error: unknown) => {
    if (error !== enough) throw error
  })
  const [copied] = await fleet.moves({ isOver: false })
  if (copied === undefined) throw new Error('a move that was not ended is under way')
  await fleet.abort(copied.moveId)
  return tookMs
}

function ofMoves(metric: Metric): { case: string; contender: string; metric: Metric } {
  return { case: `moves under ${WRITERS} writers`, contender: HYPERVAULT, metric }
}
