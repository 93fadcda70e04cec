import type { Datastore } from '../../datastore/datastore.ts'
import type { OpenInput } from '../input/open-input.ts'
import { mismatch } from '../journal/mismatch.ts'
import { ImportJournal } from './import-journal.ts'
import type { ImportOptions, ImportReport } from './import-options.ts'
import { ImportRun } from './import-run.ts'
import { describeTerms } from './import-terms.ts'
import { RejectsFile } from './rejects-file.ts'

/*
 * An import reads records from an input, makes rows of them, and stores these by a load.
 *
 *   input ──▶ text ──▶ records ──▶ rows ──▶ load ──▶ shards
 *                          └──▶ rejects ◀────┘ (refused by a server)
 *
 * It can be killed at any point and gone on with, and then no row is missing or there twice. What makes that true:
 *
 * - The journal says before each commit what is about to be stored, with the ticket by which the server can tell later
 *   whether it was. So after a crash at most one batch per shard is in doubt, and the doubt is settled first.
 * - The rows of a shard are stored in their order. So the journal needs one number per shard, and not a list of rows.
 * - The input is read again from its beginning. It must be the same as far as anything was stored of it, as its
 *   checksum tells, and so must be everything else that decides which row goes where.
 * - Rejects are on the disk before the journal says of a record behind them that it is done.
 */

/**
 * Stores the rows of an input, or goes on with an import that was cut off.
 *
 * @throws `HV_JOURNAL_BUSY`, `HV_JOURNAL_MALFORMED`, `HV_JOURNAL_MISMATCH`, `HV_IMPORT_UNKNOWN` before anything is stored;
 *   `HV_IMPORT_MALFORMED` when everything before the fault is stored; `HV_IMPORT_STOPPED`, or the reason of the signal
 */
export async function importInput(db: Datastore, input: OpenInput, options: ImportOptions): Promise<ImportReport> {
  await using journal = await openJournal(db, input, options)
  await assertSameInput(input, journal)
  await journal.assertDatabase(db, options.signal)
  await journal.settle(db, options.unknown, options.signal)
  await using rejects = new RejectsFile(options.rejectsPath)
  await rejects.prepare(journal.isResumed ? journal.state.place.head : undefined)
  return await new ImportRun(db, input, options, journal, rejects).run()
}

function openJournal(db: Datastore, input: OpenInput, options: ImportOptions): Promise<ImportJournal> {
  const { journalPath, isRestart } = options
  return ImportJournal.open(journalPath, describeTerms(options, db.topology), input.start, isRestart)
}

async function assertSameInput(input: OpenInput, { state, isResumed, path }: ImportJournal): Promise<void> {
  if (isResumed) await input.assertGoesBy(state.marks, () => mismatch(path, [input.name]))
}
