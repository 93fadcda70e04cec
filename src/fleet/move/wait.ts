import { pause } from '../../pool/pause.ts'

/** A wait that is bounded and can be aborted. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  readonly pauseMs: number
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
