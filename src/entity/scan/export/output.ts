import type { Writable } from 'node:stream'
import { AbortGroup, type Abortable } from '../../../pool/abort-group.ts'
import type { ExportSink, ExportTarget } from './export-options.ts'

/** Where an export writes. */
export interface Output {
  /** Resolves when the target has taken the bytes; rejects when it has failed. */
  write(bytes: Buffer): Promise<void>
  /** Leaves nothing behind on the target. */
  release(): void
}

/** The output of an export to a stream or to a function. */
export function openOutput(target: ExportTarget): Output {
  if (typeof target !== 'function') return new StreamOutput(target)
  const sink: ExportSink = target
  return { write: async (bytes) => sink(bytes), release: () => undefined }
}

/** Waits for a promise, and no longer than until the signal is aborted. */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  signal.throwIfAborted()
  const group = AbortGroup.of(signal)
  let abortable: Abortable | undefined
  // Bound: the signal, which is all that it is for.
  const aborted = new Promise<never>((_resolve, reject) => group.add((abortable = { reject })))
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (abortable !== undefined) group.delete(abortable)
  }
}

/** A stream that is written to and not ended. */
class StreamOutput implements Output {
  readonly #stream: Writable
  /** An error of a stream that nobody listens to would end the program; it is reported by the write. */
  readonly #onError = (): void => undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', this.#onError)
  }

  write(bytes: Buffer): Promise<void> {
    // Bound: orAbort(); the target is the caller's.
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error == null ? resolve() : reject(error)))
    })
  }

  release(): void {
    // A stream that has failed may still be about to say so.
    if (!this.#stream.destroyed) this.#stream.off('error', this.#onError)
  }
}
