import type { Datastore } from '../../datastore/datastore.ts'
import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { LockFile } from '../journal/lock-file.ts'
import { mismatch } from '../journal/mismatch.ts'
import { ExportFile } from './export-file.ts'
import { ExportLog } from './export-log.ts'
import type { ExportChoices, ExportPlaces, ExportReport } from './export-options.ts'
import { ExportParts } from './export-parts.ts'
import { startOf } from './export-state.ts'
import { describeExportTerms } from './export-terms.ts'

/*
 * An export to a file that goes on after any crash. Now and then what is written is brought to the disk, and only then the
 * journal says how long the file is and from which cursor the rest follows. Whoever goes on cuts the file there: so of what
 * was written behind it nothing is left, and nothing is there twice.
 *
 *   file      ───────── written, on the disk ─────────┤├─ written since: cut off by who goes on ─
 *   journal                            length, cursor ─┘
 *
 * The journal comes before the file and leaves after it is whole, so a file beside a journal is never taken for a whole one.
 * When shards were left out it stays: the same export then writes what is missing behind the rest.
 */

/** How often the file is brought to the disk: what a crash costs, against a wait for the disk each time. */
const PLACE_EVERY_MS = 1_000

/**
 * Writes entities to a file, or goes on with an export that was cut off.
 *
 * @throws `HV_JOURNAL_BUSY`, `HV_JOURNAL_MALFORMED`, `HV_JOURNAL_MISMATCH` before anything is written; what the file system
 *   says of the file; `HV_EXPORT_STOPPED`, or the reason of the signal, after which the same goes on
 */
export async function exportToFile(db: Datastore, choices: ExportChoices, places: ExportPlaces): Promise<ExportReport> {
  const { path, journalPath, isRestart } = places
  await using _lock = await LockFile.take(`${journalPath}.lock`)
  const terms = describeExportTerms(choices)
  const earlier = isRestart ? undefined : await ExportLog.findPlace(journalPath, terms)
  const place = earlier ?? startOf(choices.kinds)
  await using log = new ExportLog(journalPath, terms, place)
  if (earlier === undefined) await log.say(place)
  await using file = await ExportFile.open(path, place.bytes, choices.isPacked)
  if (file === undefined) throw mismatch(journalPath, [path])
  const run = new FileExport(new ExportParts(db, choices, place), file, log)
  try {
    await run.run()
  } catch (error) {
    throw stopped(error, run.entities, path)
  }
  return { entities: run.entities, isResumed: earlier !== undefined, missingShards: run.missingShards }
}

/** An export on its way into a file. */
class FileExport {
  readonly #parts: ExportParts
  readonly #file: ExportFile
  readonly #log: ExportLog
  #placedAt = performance.now()
  #writing: Promise<void> | undefined

  constructor(parts: ExportParts, file: ExportFile, log: ExportLog) {
    this.#parts = parts
    this.#file = file
    this.#log = log
  }

  get entities(): number {
    return this.#parts.place.entities
  }

  get missingShards(): ExportReport['missingShards'] {
    return this.#parts.missingShards
  }

  async run(): Promise<void> {
    try {
      await this.#parts.write((page) => (this.#writing = this.#write(page)))
    } catch (error) {
      // An abort does not wait for the page that is being written.
      await this.#writing?.catch(() => undefined)
      // What is written need not be written again. If this fails too, the place before is as good.
      if (!this.#parts.isAhead) await this.#savePlace().catch(() => undefined)
      throw error
    }
    await this.#savePlace()
    if (this.missingShards.length === 0) await this.#log.remove()
  }

  /** Before a page, because here it is known up to where the pages before it go. */
  async #write(page: Buffer): Promise<void> {
    if (performance.now() > this.#placedAt + PLACE_EVERY_MS) await this.#savePlace()
    await this.#file.write(page)
  }

  async #savePlace(): Promise<void> {
    const { place } = this.#parts
    await this.#log.say({ ...place, bytes: await this.#file.sync() })
    this.#placedAt = performance.now()
  }
}

/** What the shards were the cause of; what the file system says, and the reason of an abort, stay as they are. */
function stopped(error: unknown, entities: number, file: string): unknown {
  if (!isHypervaultError(error)) return error
  const message = `the export stopped after ${entities} entities were written: ${error.message}`
  const hint = `${error.hint} Then run the same export again: it continues.`
  return new HypervaultError('HV_EXPORT_STOPPED', message, { entities, file }, { cause: error, hint })
}
