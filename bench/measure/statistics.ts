/** Samples in short: the middle one, and how far the others are from it. */
export interface Summary {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Median and range of samples. Throws a RangeError for none. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = Float64Array.from(samples).sort()
  return { median: quantileOf(sorted, 0.5), low: quantileOf(sorted, 0), high: quantileOf(sorted, 1) }
}

/** The value below which this part of the samples lies, between two of them if need be. Throws a RangeError for none. */
export function quantile(samples: readonly number[], part: number): number {
  return quantileOf(Float64Array.from(samples).sort(), part)
}

/**
 * Ratios of samples that were taken side by side, one for each round: what slows the machine down for a while slows both
 * sides of a ratio.
 */
export function ratiosOf(samples: readonly number[], against: readonly number[]): number[] {
  return samples.slice(0, against.length).map((sample, round) => sample / (against[round] ?? NaN))
}

/** How far the samples are from their median, as a part of it: the larger of the two sides. */
export function noiseOf({ median, low, high }: Summary): number {
  return Math.max(median - low, high - median) / median
}

function quantileOf(sorted: Float64Array, part: number): number {
  if (sorted.length === 0) throw new RangeError('there are no samples')
  const place = (sorted.length - 1) * part
  const [below = NaN, above = NaN] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  return below + (above - below) * (place - Math.floor(place))
}
