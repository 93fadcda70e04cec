import type { Datastore } from '../../datastore/datastore.ts'
import type { LoadBatch } from '../../entity/load/load-batch.ts'
import type { RefusedRow } from '../../entity/load/load-options.ts'
import type { Load } from '../../entity/load/load.ts'
import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { Key } from '../../key/key.ts'
import { createReader } from '../input/input-format.ts'
import type { MalformedInput } from '../input/malformed-input.ts'
import type { OpenInput } from '../input/open-input.ts'
import type { ReadMark } from '../input/read-mark.ts'
import { readRecords } from '../input/record-reader.ts'
import { mismatch } from '../journal/mismatch.ts'
import type { ImportJournal } from './import-journal.ts'
import type { ImportOptions, ImportReport } from './import-options.ts'
import { ImportRows } from './import-rows.ts'
import type { RejectsFile } from './rejects-file.ts'
import { choosePlace } from './row-place.ts'
import { RowRegister } from './row-register.ts'

/** Most rows that are read and not stored. */
const WINDOW_ROWS = 262_144

/** How often the journal learns up to where everything is done: that is what need not be parsed again after a crash. */
const HEAD_EVERY_MS = 1_000

/** The part of an import in which rows are stored. */
export class ImportRun {
  readonly #db: Datastore
  readonly #input: OpenInput
  readonly #options: ImportOptions
  readonly #journal: ImportJournal
  readonly #rejects: RejectsFile
  readonly #register = new RowRegister(WINDOW_ROWS)
  readonly #rows: ImportRows
  #headAt = performance.now()

  constructor(db: Datastore, input: OpenInput, options: ImportOptions, journal: ImportJournal, rejects: RejectsFile) {
    this.#db = db
    this.#input = input
    this.#options = options
    this.#journal = journal
    this.#rejects = rejects
    const records = readRecords(this.#readText(), createReader(options.format, options))
    const { state } = journal
    const ground = { records, meter: input.meter, state, rejects, register: this.#register }
    this.#rows = new ImportRows({ placeOf: choosePlace(db, options.shards), kind: options.kind }, ground)
  }

  async run(): Promise<ImportReport> {
    const load = this.#load()
    try {
      for await (const _ of load.chunks()) await this.#advance(load)
    } catch (error) {
      throw this.#stopped(error)
    } finally {
      await this.#noteHead(load)
    }
    if (this.#rows.malformed !== undefined) throw await this.#malformed(this.#rows.malformed)
    await this.#journal.remove()
    return this.#report()
  }

  #readText(): AsyncGenerator<Buffer, void, undefined> {
    const { state, isResumed, path } = this.#journal
    return this.#input.text(isResumed ? state.marks : [], () => mismatch(path, [this.#input.name]))
  }

  #load(): Load {
    const register = this.#register
    const keepsKeys = 'keepsKeys' in this.#options.shards
    return this.#db.load((_, row) => register.kindOf(row), this.#rows, {
      shardOf: (_, row) => register.shardIdOf(row),
      ...(keepsKeys && {
        keyOf: (_, row) => new Key(register.keptOf(row).id),
        updatedOf: (_, row) => register.keptOf(row).updated,
      }),
      windowRows: WINDOW_ROWS,
      signal: this.#options.signal,
      beforeCommit: (batch) => this.#open(batch),
      onStored: ({ ticket }) => this.#journal.stored(ticket.shardId),
      onRefused: (refused) => this.#refuse(refused),
    })
  }

  async #open({ rows, ticket }: LoadBatch): Promise<void> {
    const through = this.#register.recordOf(rows.at(-1) as number)
    const { mark } = this.#input.meter
    await this.#rejects.flush()
    await this.#journal.open({ ticket, through, rows: rows.length }, mark)
  }

  #refuse({ row, body, error }: RefusedRow): void {
    const reason = isHypervaultError(error, 'HV_KEY_TAKEN')
      ? 'its key is there already'
      : `the server refused it: ${(error.cause as Error).message} (SQLSTATE ${error.details.sqlstate})`
    const record = this.#register.recordOf(row) + 1
    this.#rejects.add({ line: this.#register.lineOf(row), record, reason, text: JSON.stringify(body) })
  }

  async #advance(load: Load): Promise<void> {
    this.#tell(load)
    if (performance.now() < this.#headAt + HEAD_EVERY_MS) return
    await this.#noteHead(load)
    this.#headAt = performance.now()
  }

  /** Rejects come first: of the records before the head they are not looked for again. */
  async #noteHead(load: Load): Promise<void> {
    const { rowsDone } = load.progress
    const head = rowsDone < this.#register.count ? this.#register.recordOf(rowsDone) : this.#rows.records
    await this.#rejects.flush()
    this.#journal.headAt(head)
  }

  #tell(load: Load): void {
    const { rowsDone } = load.progress
    const { bytes } = this.#input.meter.mark
    this.#options.onProgress?.({
      rows: this.#journal.state.place.rows,
      rejected: this.#rejects.count,
      bytes: rowsDone < this.#register.count ? this.#register.bytesOf(rowsDone) : bytes,
    })
  }

  #report(): ImportReport {
    const { count, path } = this.#rejects
    const { isResumed, state } = this.#journal
    return { rows: state.place.rows, rejected: count, rejectsPath: count > 0 ? path : undefined, isResumed }
  }

  /** The error of a load that ended early; after an abort its reason. */
  #stopped(error: unknown): unknown {
    if (!isHypervaultError(error, 'HV_LOAD_FAILED')) return error
    const { cause } = error
    const { signal } = this.#options
    if (isHypervaultError(cause, 'HV_JOURNAL_MISMATCH') || (signal?.aborted === true && cause === signal.reason))
      return cause
    const { rows, rejected } = this.#report()
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `the import stopped after ${rows} rows were stored: ${reason}`
    const hint = isHypervaultError(cause) ? `${cause.hint} Then run the same import again: it continues.` : undefined
    return new HypervaultError('HV_IMPORT_STOPPED', message, { rows, rejected }, { cause, ...(hint && { hint }) })
  }

  async #malformed(malformed: MalformedInput): Promise<HypervaultError> {
    const { line, message } = malformed
    const mark = await this.#markBefore(malformed)
    if (mark !== undefined) await this.#journal.brokenAt(mark)
    const { name } = this.#input
    const { rows, rejected } = this.#report()
    const place = line === undefined ? name : `${name}, line ${line}`
    const text = `${place}: ${message}; everything before it is done: ${rows} rows stored, ${rejected} records rejected`
    return new HypervaultError('HV_IMPORT_MALFORMED', text, { rows, rejected, ...(line !== undefined && { line }) })
  }

  /** What is before the fault must stay as it is. Undefined if nobody can tell where that is, as in what is packed. */
  async #markBefore({ offset }: MalformedInput): Promise<ReadMark | undefined> {
    return offset === undefined ? undefined : this.#input.markAt(offset)
  }
}
