import { setTimeout as sleep } from 'node:timers/promises'

/** Waits so long, or throws the reason of the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted())
}

/** Waits so long. An abort ends the wait early, and it resolves all the same. */
export async function tryPause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await pause(ms, signal).catch(() => undefined)
}
