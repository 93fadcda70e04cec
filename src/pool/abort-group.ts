import { assertSignal } from '../arguments/arguments.ts'

/**
 * Calls `end` with the reason when the signal is aborted, at once if it is already; until this is disposed of. Any number
 * of calls under one signal cost it one listener.
 */
export function onAbort(signal: AbortSignal | undefined, end: (reason: unknown) => void): Disposable {
  if (signal?.aborted === true) end(signal.reason)
  if (signal === undefined || signal.aborted) return { [Symbol.dispose]: () => undefined }
  const [group, member] = [AbortGroup.of(signal), { reject: end }]
  group.add(member)
  return { [Symbol.dispose]: () => group.delete(member) }
}

/** What ends when a signal is aborted. */
export interface Abortable {
  reject(reason: unknown): void
}

const groups = new WeakMap<AbortSignal, AbortGroup>()

/**
 * All that waits under one signal, behind a single listener: an `AbortSignal` looks through all its listeners each time
 * one is added, which ten thousand calls under the same signal would pay for.
 */
export class AbortGroup {
  readonly #signal: AbortSignal
  readonly #members = new Set<Abortable>()

  private constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** The group of a signal that is not aborted yet. */
  static of(signal: AbortSignal): AbortGroup {
    const known = groups.get(signal)
    if (known !== undefined) return known
    assertSignal(signal)
    const group = new AbortGroup(signal)
    groups.set(signal, group)
    return group
  }

  add(member: Abortable): void {
    if (this.#members.size === 0) this.#signal.addEventListener('abort', this, { once: true })
    this.#members.add(member)
  }

  delete(member: Abortable): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return
    this.#signal.removeEventListener('abort', this)
  }

  /** Called by the signal. */
  handleEvent(): void {
    for (const member of [...this.#members]) member.reject(this.#signal.reason)
  }
}
