import { fstatSync, type Stats } from 'node:fs'
import type { Writable } from 'node:stream'

const INTERVAL_MS = 1_000

/**
 * Notices that nobody reads standard output any more while nothing is printed: an error of the stream, as after any
 * write. A command that waits for ever would outlive the program that started it otherwise. A terminal needs no watching
 * (closing it is a SIGHUP), and a file has no reader.
 */
export class ReaderWatch implements Disposable {
  readonly #timer: NodeJS.Timeout | undefined

  constructor(stdout: Writable & { readonly fd?: number }) {
    const beat = stdout.fd === undefined ? undefined : beatFor(fstatSync(stdout.fd))
    if (beat !== undefined) this.#timer = setInterval(() => stdout.write(beat), INTERVAL_MS)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** A socket tells on an empty write; a pipe only on a real one, and a space after a JSON document means nothing. */
function beatFor(stats: Stats): string | undefined {
  if (stats.isSocket()) return ''
  return stats.isFIFO() ? ' ' : undefined
}
