import { JournalFile } from '../journal/journal-file.ts'
import { assertSameTerms, malformedJournal } from '../journal/mismatch.ts'
import { readExportEvents, type ExportEvent, type ExportPlace, type ExportTerms } from './export-state.ts'

/** The journal of an export to a file: how long the file is, and what follows. */
export class ExportLog implements AsyncDisposable {
  readonly #file: JournalFile
  #place: ExportPlace

  /** @param place where the export begins, or goes on */
  constructor(path: string, terms: ExportTerms, place: ExportPlace) {
    this.#place = place
    this.#file = new JournalFile(path, (): ExportEvent[] => [{ began: terms }, { at: this.#place }])
  }

  /**
   * Where an earlier run has left off; undefined if there was none.
   *
   * @throws `HV_JOURNAL_MALFORMED`; `HV_JOURNAL_MISMATCH` when it was begun with other terms
   */
  static async findPlace(path: string, terms: ExportTerms): Promise<ExportPlace | undefined> {
    const events = await JournalFile.read(path)
    if (events === undefined) return undefined
    const earlier = readExportEvents(events)
    if (earlier === undefined) throw malformedJournal(path, 'export')
    assertSameTerms(path, earlier.terms, terms)
    return earlier.place
  }

  /** Resolves when it is on the disk where the export is. The first one begins the journal. */
  async say(place: ExportPlace): Promise<void> {
    this.#place = place
    await this.#file.append({ at: place } satisfies ExportEvent)
  }

  /** The export is done: nothing is to be gone on with. */
  remove(): Promise<void> {
    return this.#file.remove()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close()
  }
}
