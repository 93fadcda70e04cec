import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MEBIBYTE = 1024 * 1024

/** Readings of the memory that is in use when everything else was collected. */
export class Heap {
  readonly #readings: number[] = []
  readonly #collect: () => void

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc') as () => void
  }

  read(): void {
    this.#collect()
    this.#readings.push(process.memoryUsage().heapUsed / MEBIBYTE)
  }

  /** By how much of itself the heap has grown from the first to the last third, by medians. */
  get growth(): number {
    const third = Math.ceil(this.#readings.length / 3)
    return median(this.#readings.slice(-third)) / median(this.#readings.slice(0, third)) - 1
  }

  /** The heap at eleven moments in MiB, and what the whole process takes at the end. */
  summary(): object {
    const last = this.#readings.length - 1
    const moments = Array.from({ length: 11 }, (_, tenth) => this.#readings[Math.round((last * tenth) / 10)] ?? NaN)
    const rss = Math.round(process.memoryUsage.rss() / MEBIBYTE)
    return { readings: this.#readings.length, moments: moments.map((size) => size.toFixed(1)).join(' '), rss }
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
}
