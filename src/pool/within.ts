import { onAbort } from './abort-group.ts'
import { deferred } from './deferred.ts'

/** What ends a wait. Both have to be said, also where there is no signal: a wait without a bound is a defect. */
export interface Bounds {
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
}

/**
 * What `work` gives, or the end of the wait for it: the reason of the signal, or what `onTimeout` makes. The work itself
 * goes on; whoever did it must have a bound of its own for it.
 */
export async function within<T>(
  work: Promise<T>,
  { signal, timeoutMs }: Bounds,
  onTimeout: () => T | Error,
): Promise<T> {
  // Bound: the timer and the signal below.
  const ended = deferred<T>()
  const timer = setTimeout(() => {
    const end = onTimeout()
    if (end instanceof Error) ended.reject(end)
    else ended.resolve(end)
  }, timeoutMs)
  using _ = onAbort(signal, (reason) => ended.reject(reason))
  try {
    return await Promise.race([work, ended.promise])
  } finally {
    clearTimeout(timer)
  }
}
