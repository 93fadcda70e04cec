import { createReadStream } from 'node:fs'
import { open, truncate, unlink, type FileHandle } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { HypervaultError } from '../../errors.ts'
import { withFile } from '../journal/file-error.ts'
import { OWNER_ONLY } from '../journal/owner-only.ts'

/** A record that is no row, or that a server refused. */
export interface Reject {
  /** The line it begins in, from 1. */
  readonly line: number
  /** Its place among the records, from 1. */
  readonly record: number
  readonly reason: string
  /** As it stands in the input. */
  readonly text: string
}

/** Most characters that wait to be written. */
const MAX_WAITING = 256 * 1024

/*
 * The records that were not stored, as NDJSON. An import that goes on finds in it what it has rejected before, and does not
 * say it again: of what lies before the head of its journal everything, of what is behind it perhaps something.
 */

/** Writes rejects, once something is rejected. */
export class RejectsFile implements AsyncDisposable {
  readonly path: string
  readonly #known = new Set<number>()
  #file: FileHandle | undefined
  #waiting: string[] = []
  #waitingLength = 0
  #flushing: Promise<void> | undefined
  #count = 0

  constructor(path: string) {
    this.path = path
  }

  /** How many records are in the file, or will be. */
  get count(): number {
    return this.#count
  }

  /** Begins anew; or goes on, and finds out which records from the head on are in the file. */
  async prepare(head: number | undefined): Promise<void> {
    const prepare = (): Promise<void> => (head === undefined ? unlink(this.path) : this.#readKnown(head))
    await withFile(this.path, () => prepare().catch(ignoreMissing))
  }

  /** Whether the file had this record, by its place from 0, when the import went on. */
  has(record: number): boolean {
    return this.#known.has(record)
  }

  /** Adds a record. */
  add(reject: Reject): void {
    const line = `${JSON.stringify(reject)}\n`
    this.#waiting.push(line)
    this.#waitingLength += line.length
    this.#count += 1
  }

  /** Resolves when there is room for more. */
  async makeRoom(): Promise<void> {
    if (this.#waitingLength > MAX_WAITING) await this.flush()
  }

  /** Resolves when everything that was added is on the disk. */
  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    if (this.#waiting.length === 0) return
    this.#flushing = withFile(this.path, () => this.#write()).finally(() => (this.#flushing = undefined))
    await this.#flushing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush().finally(() => this.#file?.close())
    this.#file = undefined
  }

  async #write(): Promise<void> {
    const text = this.#waiting.join('')
    this.#waiting = []
    this.#waitingLength = 0
    this.#file ??= await open(this.path, 'a', OWNER_ONLY)
    await this.#file.appendFile(text)
    await this.#file.datasync()
  }

  async #readKnown(head: number): Promise<void> {
    // A line without an end was being written in a crash.
    await truncate(this.path, await endOfLastLine(this.path))
    for await (const line of createInterface({ input: createReadStream(this.path) })) {
      const record = readPlace(line, this.path)
      if (record >= head) this.#known.add(record)
      this.#count += 1
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Bytes up to and with the last line end. */
async function endOfLastLine(path: string): Promise<number> {
  let end = 0
  let offset = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const at = chunk.lastIndexOf('\n')
    if (at !== -1) end = offset + at + 1
    offset += chunk.length
  }
  return end
}

function readPlace(line: string, path: string): number {
  try {
    return (JSON.parse(line) as Reject).record - 1
  } catch (cause) {
    const message = `${path} should hold the rejects of an import, but has other content`
    throw new HypervaultError('HV_JOURNAL_MALFORMED', message, { file: path }, { cause })
  }
}
