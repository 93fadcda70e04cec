import { onAbort } from '../pool/abort-group.ts'

/** Waits; an abort ends the wait early, and it resolves all the same. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      aborted[Symbol.dispose]()
      resolve()
    }
    const timer = setTimeout(end, ms)
    const aborted = onAbort(signal, end)
  })
}
