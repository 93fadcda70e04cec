import type { PoolClient } from 'pg'
import { from, type CopyStreamQuery } from 'pg-copy-streams'

/**
 * Sends rows through `COPY … FROM STDIN` and resolves to their number when the server has taken them all. One chunk is
 * under way at a time: the next is asked for when the socket wants it. When the chunks fail, so does this, and the
 * connection is to be destroyed: it still waits for more.
 *
 * @param onSent called each time a chunk has left
 */
export function copyIn(
  client: PoolClient,
  text: string,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  onSent: () => void,
): Promise<number> {
  // Bound: that of the connection, which its borrower destroys when it is time.
  return new Promise((resolve, reject) => new CopyIn(from(text), chunks, onSent).start(client, resolve, reject))
}

/*
 * The stream of pg-copy-streams lets go of its connection when the server refuses, but is not destroyed by that and may
 * still ask for more: writing to it then throws inside an event of the socket. So nothing is written after an error.
 */
class CopyIn {
  readonly #stream: CopyStreamQuery
  readonly #chunks: Iterator<Buffer> | AsyncIterator<Buffer>
  readonly #onSent: () => void
  #hasFailed = false

  constructor(stream: CopyStreamQuery, chunks: Iterable<Buffer> | AsyncIterable<Buffer>, onSent: () => void) {
    this.#stream = stream
    this.#chunks = Symbol.iterator in chunks ? chunks[Symbol.iterator]() : chunks[Symbol.asyncIterator]()
    this.#onSent = onSent
  }

  start(client: PoolClient, resolve: (rows: number) => void, reject: (error: unknown) => void): void {
    const fail = (error: unknown): void => {
      this.#hasFailed = true
      reject(error)
    }
    this.#stream.on('error', fail)
    this.#stream.once('finish', () => resolve(this.#stream.rowCount))
    // Bound: see copyIn().
    client.query(this.#stream)
    this.#writeNext(fail)
  }

  #writeNext(fail: (error: unknown) => void): void {
    const next = this.#chunks.next()
    if (next instanceof Promise) next.then((chunk) => this.#write(chunk, fail), fail)
    else this.#write(next, fail)
  }

  #write({ done, value }: IteratorResult<Buffer>, fail: (error: unknown) => void): void {
    if (this.#hasFailed) return
    if (done === true) this.#stream.end()
    else this.#stream.write(value, () => this.#wrote(fail))
  }

  #wrote(fail: (error: unknown) => void): void {
    if (this.#hasFailed) return
    this.#onSent()
    this.#writeNext(fail)
  }
}
