import type { PoolClient } from 'pg'
import { from, type CopyStreamQuery } from 'pg-copy-streams'

/**
 * Sends rows through `COPY … FROM STDIN` and resolves to their number when the server has taken them all. One chunk is
 * under way at a time: the next is asked for when the socket wants it.
 *
 * @param onSent called each time a chunk has left
 */
export function copyIn(
  client: PoolClient,
  text: string,
  chunks: Iterable<Buffer>,
  onSent: () => void,
): Promise<number> {
  return new Promise((resolve, reject) => new CopyIn(from(text), chunks, onSent).start(client, resolve, reject))
}

/*
 * The stream of pg-copy-streams lets go of its connection when the server refuses, but is not destroyed by that and may
 * still ask for more: writing to it then throws inside an event of the socket. So nothing is written after an error.
 */
class CopyIn {
  readonly #stream: CopyStreamQuery
  readonly #chunks: Iterator<Buffer>
  readonly #onSent: () => void
  #hasFailed = false

  constructor(stream: CopyStreamQuery, chunks: Iterable<Buffer>, onSent: () => void) {
    this.#stream = stream
    this.#chunks = chunks[Symbol.iterator]()
    this.#onSent = onSent
  }

  start(client: PoolClient, resolve: (rows: number) => void, reject: (error: unknown) => void): void {
    this.#stream.on('error', (error) => {
      this.#hasFailed = true
      reject(error)
    })
    this.#stream.once('finish', () => resolve(this.#stream.rowCount))
    client.query(this.#stream)
    this.#writeNext()
  }

  #writeNext(): void {
    const next = this.#chunks.next()
    if (next.done === true) this.#stream.end()
    else this.#stream.write(next.value, () => this.#wrote())
  }

  #wrote(): void {
    if (this.#hasFailed) return
    this.#onSent()
    this.#writeNext()
  }
}
