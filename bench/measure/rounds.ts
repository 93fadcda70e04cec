import type { Metric } from './metric.ts'

/** What one contender did in one sample. */
export type Reading = ReadonlyMap<Metric, number>

/** Who is measured, once in each round. */
export interface Contender {
  readonly name: string
  /** Takes one sample. */
  measure(): Promise<Reading>
}

/** Contenders that do the same work under the same circumstances. */
export interface Case {
  /** `get, 100 in flight` */
  readonly name: string
  readonly contenders: readonly Contender[]
}

/** All samples of one contender in one case, one for each round. */
export interface Series {
  readonly case: string
  readonly contender: string
  readonly metric: Metric
  readonly samples: readonly number[]
}

/** How rounds are run. */
export interface RoundPlan {
  readonly rounds: number
  readonly signal: AbortSignal
  /** Told of each sample that was taken. */
  readonly onSample: (done: number) => void
}

/** How many samples {@link runRounds} takes. */
export function countSamples(cases: readonly Case[], rounds: number): number {
  return cases.reduce((sum, { contenders }) => sum + contenders.length, 0) * (rounds + 1)
}

/**
 * Takes one sample of each contender in each case, and that once a round: what disturbs the machine for a while disturbs
 * all of them. Each round begins with another contender. A first round warms up and does not count.
 */
export async function runRounds(cases: readonly Case[], { rounds, signal, onSample }: RoundPlan): Promise<Series[]> {
  const readings = cases.map(({ contenders }) => contenders.map((): Reading[] => []))
  let done = 0
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, { contenders }] of cases.entries()) {
      for (const [place, contender] of rotate([...contenders.entries()], round)) {
        signal.throwIfAborted()
        const reading = await contender.measure()
        if (round > 0) readings[at]?.[place]?.push(reading)
        onSample((done += 1))
      }
    }
  }
  return cases.flatMap((each, at) =>
    each.contenders.flatMap(({ name }, place) => seriesOf(each.name, name, readings[at]?.[place] ?? [])),
  )
}

function seriesOf(caseName: string, contender: string, readings: readonly Reading[]): Series[] {
  const metrics = [...(readings[0]?.keys() ?? [])]
  return metrics.map((metric) => {
    const samples = readings.map((reading) => reading.get(metric) ?? NaN)
    return { case: caseName, contender, metric, samples }
  })
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
