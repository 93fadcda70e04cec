import { open, readFile, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HypervaultError } from '../../errors.ts'
import { withFile } from './file-error.ts'
import { OWNER_ONLY } from './owner-only.ts'

/** How long a journal may grow before it is written anew. */
const MAX_BYTES = 4 * 1024 * 1024

/*
 * A file of events, one JSON document per line, that survives a crash of the process and of the computer. Events that
 * come while the disk is at work share the next write. When it has grown long it is replaced by a summary of what it
 * says, in one step (write beside, sync, rename, sync the folder).
 *
 * A line without an end was being written in a crash. Whoever waited for it never went on, so it says nothing.
 */

/** An append-only file of events. */
export class JournalFile {
  readonly #path: string
  readonly #summarize: () => readonly unknown[]
  #file: FileHandle | undefined
  #bytes = Infinity
  #lines: string[] = []
  #flushing: Promise<void> | undefined

  /** @param summarize gives the events that say what the whole journal says, with all that was appended so far */
  constructor(path: string, summarize: () => readonly unknown[]) {
    this.#path = path
    this.#summarize = summarize
  }

  /** The events in a journal; undefined if there is none. Throws `HV_JOURNAL_MALFORMED` for another file. */
  static async read(path: string): Promise<unknown[] | undefined> {
    const text = await withFile(path, () => readFile(path, 'utf8').catch(ignoreMissing))
    if (text === undefined) return undefined
    try {
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown)
    } catch (cause) {
      const message = `${path} is not the journal of an import or an export`
      throw new HypervaultError('HV_JOURNAL_MALFORMED', message, { file: path }, { cause })
    }
  }

  /** Appends an event and resolves when it is on the disk. The first one replaces the file. */
  append(event: unknown): Promise<void> {
    this.note(event)
    return this.flush()
  }

  /** Appends an event with the next one that somebody waits for. */
  note(event: unknown): void {
    this.#lines.push(`${JSON.stringify(event)}\n`)
  }

  /** Resolves when everything that was appended is on the disk. */
  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    if (this.#lines.length === 0) return
    const lines = this.#lines.splice(0)
    this.#flushing = withFile(this.#path, () => this.#write(lines)).finally(() => (this.#flushing = undefined))
    await this.#flushing
  }

  /** Writes what is left, and lets go of the file. */
  async close(): Promise<void> {
    await this.flush().finally(() => this.#file?.close())
    this.#file = undefined
  }

  /** Removes the file: what it was kept for is done. */
  async remove(): Promise<void> {
    this.#lines = []
    await this.close()
    await unlink(this.#path)
    await syncFolder(this.#path)
  }

  async #write(lines: readonly string[]): Promise<void> {
    if (this.#bytes > MAX_BYTES) return this.#replace()
    await this.#append(lines)
  }

  async #append(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(''))
    await this.#file?.appendFile(bytes)
    await this.#file?.datasync()
    this.#bytes += bytes.length
  }

  async #replace(): Promise<void> {
    await this.#file?.close()
    const beside = `${this.#path}.new`
    this.#file = await open(beside, 'w', OWNER_ONLY)
    this.#bytes = 0
    this.#lines = []
    await this.#append(this.#summarize().map((event) => `${JSON.stringify(event)}\n`))
    await rename(beside, this.#path)
    await syncFolder(this.#path)
  }
}

/** Makes a file's name last; systems that cannot do this do it by themselves. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r').catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
