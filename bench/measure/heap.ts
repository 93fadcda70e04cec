import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How often the heap is looked at while work goes on. */
const LOOK_EVERY_MS = 5

/** What work gave, and what it took. */
export interface HeapReading<T> {
  readonly result: T
  readonly tookMs: number
  /** Highest size of the heap that was seen above that before, garbage included. */
  readonly heapMegabytes: number
}

/** Does work on a heap without garbage, and watches how far it grows. */
export async function measureHeap<T>(work: () => Promise<T>): Promise<HeapReading<T>> {
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  let highest = before
  const timer = setInterval(() => (highest = Math.max(highest, process.memoryUsage().heapUsed)), LOOK_EVERY_MS)
  try {
    const startedAt = performance.now()
    const result = await work()
    return { result, tookMs: performance.now() - startedAt, heapMegabytes: (highest - before) / 1024 ** 2 }
  } finally {
    clearInterval(timer)
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
