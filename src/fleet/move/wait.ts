import { setTimeout as sleep } from 'node:timers/promises'

/** A wait that is bounded and can be aborted. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  readonly pauseMs: number
}

/** Waits so long, or throws the reason of the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted())
}

/** Looks again and again until something is found. `look` throws when there is no point in waiting any longer. */
export async function waitFor<T>(look: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  for (;;) {
    options.signal?.throwIfAborted()
    const found = await look()
    if (found !== undefined) return found
    await pause(options.pauseMs, options.signal)
  }
}
