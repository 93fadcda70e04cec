import type { Datastore } from '../../datastore/datastore.ts'
import type { BatchTicket } from '../../entity/load/load-batch.ts'
import { HypervaultError } from '../../errors.ts'
import { Key } from '../../key/key.ts'
import type { ReadMark } from '../input/read-mark.ts'
import { JournalFile } from '../journal/journal-file.ts'
import { LockFile } from '../journal/lock-file.ts'
import { assertSameTerms, malformedJournal, mismatch } from '../journal/mismatch.ts'
import { ImportState, type ImportEvent, type ImportTerms, type OpenBatch } from './import-state.ts'

/** What to do with rows of which nobody can tell whether they are stored. */
export type UnknownRule = 'again' | 'skip'

/** Stored batches whose first row is looked for, to see whether this is the same database. */
const SAMPLE = 16

/** The journal of one import: what is stored, and what may be. Without a file it remembers only for this process. */
export class ImportJournal implements AsyncDisposable {
  readonly #file: JournalFile | undefined
  /** Where it lies, for messages. */
  readonly path: string
  readonly #lock: LockFile | undefined
  readonly state: ImportState
  /** Whether an import is gone on with that was begun before. */
  readonly isResumed: boolean

  private constructor(path: string | undefined, lock: LockFile | undefined, state: ImportState, isResumed: boolean) {
    this.path = path ?? 'this import'
    this.#lock = lock
    this.state = state
    this.isResumed = isResumed
    if (path !== undefined) this.#file = new JournalFile(path, () => state.summarize())
  }

  /**
   * Opens the journal at a path, or one without a file.
   *
   * @param isRestart whether an earlier journal is replaced
   * @throws `HV_JOURNAL_BUSY`, `HV_JOURNAL_MALFORMED`, and `HV_JOURNAL_MISMATCH` when the import was begun with other terms
   */
  static async open(
    path: string | undefined,
    terms: ImportTerms,
    start: ReadMark,
    isRestart: boolean,
  ): Promise<ImportJournal> {
    if (path === undefined) return new ImportJournal(undefined, undefined, new ImportState(terms, start), false)
    const lock = await LockFile.take(`${path}.lock`)
    try {
      const earlier = isRestart ? undefined : await readState(path)
      if (earlier !== undefined) assertSameTerms(path, earlier.terms, terms)
      const journal = new ImportJournal(path, lock, earlier ?? new ImportState(terms, start), earlier !== undefined)
      await journal.#append({ head: journal.state.place.head })
      return journal
    } catch (error) {
      await lock[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Says that a batch may be stored from now on; resolves when that is on the disk. */
  open(batch: OpenBatch, read: ReadMark): Promise<void> {
    return this.#append({ opened: batch, read })
  }

  /** Says that the open batch of a shard is stored. */
  stored(shardId: number): void {
    this.#note({ stored: shardId })
  }

  /** Says that all records before this one are done with. */
  headAt(record: number): void {
    if (record > this.state.place.head) this.#note({ head: record })
  }

  /** Says that the input may be another from here on, because it cannot be read there. */
  brokenAt(read: ReadMark): Promise<void> {
    return this.#append({ broken: read })
  }

  /**
   * Asks the servers what became of the batches that were open in a crash.
   *
   * @throws `HV_IMPORT_UNKNOWN` when they cannot tell and no rule says what to do; what `findBatchEnd` throws
   */
  async settle(db: Datastore, rule: UnknownRule | undefined, signal: AbortSignal | undefined): Promise<void> {
    const open = [...this.state.shards.values()].flatMap((shard) => shard.open ?? [])
    const ends = await Promise.all(open.map(({ ticket }) => db.findBatchEnd(ticket, { signal })))
    const unknown = open.filter((_, index) => ends[index] === 'unknown')
    if (unknown.length > 0 && rule === undefined) throw this.#unknown(unknown)
    open.forEach(({ ticket: { shardId } }, index) => {
      const isStored = ends[index] === 'committed' || (ends[index] === 'unknown' && rule === 'skip')
      this.#note(isStored ? { stored: shardId } : { dropped: shardId })
    })
    await this.#file?.flush()
  }

  /**
   * Makes sure that what was stored is in this database.
   *
   * @throws `HV_JOURNAL_MISMATCH` when nothing of it is
   */
  async assertDatabase(db: Datastore, signal: AbortSignal | undefined): Promise<void> {
    const stored = [...this.state.shards.values()].flatMap((shard): BatchTicket[] =>
      shard.stored ? [shard.stored] : [],
    )
    if (stored.length === 0) return
    const found = await db.getMany(
      stored.slice(0, SAMPLE).map(({ key }) => new Key(key)),
      { signal },
    )
    if (found.every((entity) => entity === undefined)) throw mismatch(this.path, ['the database'])
  }

  /** The import is done: nothing is to be gone on with. */
  async remove(): Promise<void> {
    await this.#file?.remove()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#file?.close()
    } finally {
      await this.#lock?.[Symbol.asyncDispose]()
    }
  }

  #append(event: ImportEvent): Promise<void> {
    this.state.apply(event)
    return this.#file?.append(event) ?? Promise.resolve()
  }

  #note(event: ImportEvent): void {
    this.state.apply(event)
    this.#file?.note(event)
  }

  #unknown(open: readonly OpenBatch[]): HypervaultError {
    const rows = open.reduce((sum, batch) => sum + batch.rows, 0)
    const shardIds = open.map(({ ticket }) => ticket.shardId)
    const message = `it is unknown whether ${rows} rows in ${open.length} shards were stored`
    return new HypervaultError('HV_IMPORT_UNKNOWN', message, { rows, shardIds })
  }
}

async function readState(path: string): Promise<ImportState | undefined> {
  const events = await JournalFile.read(path)
  if (events === undefined) return undefined
  const state = ImportState.from(events as ImportEvent[])
  if (state !== undefined) return state
  throw malformedJournal(path, 'import')
}
