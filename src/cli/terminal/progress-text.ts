/** How far something is. */
export interface ProgressReading {
  readonly done: number
  readonly total: number
  readonly elapsedMs: number
}

const BAR_WIDTH = 28

/** Below this, rate and time left are noise. */
const MIN_ELAPSED_MS = 500

/** `17 of 320 shards, 45/s, 7 s left`. */
export function describeProgress(reading: ProgressReading, unit: string): string {
  const { done, total } = reading
  return [`${count(done)} of ${count(total)} ${unit}`, ...describeSpeed(reading)].join(', ')
}

/** The bar in front of it. */
export function drawBar({ done, total }: ProgressReading): string {
  const filled = total === 0 ? BAR_WIDTH : Math.floor((Math.min(done, total) / total) * BAR_WIDTH)
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
}

function describeSpeed({ done, total, elapsedMs }: ProgressReading): string[] {
  if (done === 0 || elapsedMs < MIN_ELAPSED_MS) return []
  const perSecond = (done * 1000) / elapsedMs
  const rate = perSecond >= 10 ? count(Math.round(perSecond)) : perSecond.toFixed(1)
  return [`${rate}/s`, ...(done < total ? [`${describeSeconds((total - done) / perSecond)} left`] : [])]
}

/** `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function describeSeconds(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
