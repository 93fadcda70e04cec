import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import { explainFile } from '../../arguments/file-failure.ts'
import type { Datastore } from '../../datastore/datastore.ts'
import type { ImportOptions, ImportProgress, ImportReport } from '../../transfer/import/import-options.ts'
import { importInput } from '../../transfer/import/import.ts'
import { inputFormats } from '../../transfer/input/input-format.ts'
import { OpenInput } from '../../transfer/input/open-input.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { readChoices, readForm, readPlaces, type ImportFlags } from './import-flags.ts'
import { TransferProgress } from './transfer-progress.ts'

/** `npx pg-hypervault import`: rows of a file become entities. */
export function addImportCommand(program: Command, context: Context): void {
  program
    .command('import')
    .summary('store the rows of a file')
    .description(
      'Stores the rows of a file as entities: NDJSON, a JSON array or CSV, also packed with gzip. Safe to end at any point, also by kill -9: the same command goes on, and no row is missing or there twice. Records that are no rows go into a file of their own, with line and reason; then the exit code is 4.',
    )
    .argument('<file>', 'file to read, or - for standard input')
    .option('--kind <kind>', 'kind of the entities; lines that export wrote have their own')
    .option('--shard-by <field>', 'field whose value chooses the shard of a row, as shardFor() does')
    .option('--shard <shard>', 'one shard for all rows')
    .option(
      '--keep-keys',
      'rows keep the keys, and so the shards, that npx pg-hypervault export wrote; none is overwritten',
    )
    .addOption(
      new Option('--format <format>', 'form of the file (default: by its name or its first mark)').choices(
        inputFormats,
      ),
    )
    .option('--delimiter <mark>', 'what separates the fields of CSV (default: comma, and tab for .tsv)')
    .option('--columns <names>', 'names of the columns of CSV, with commas, when the first record is none of them')
    .addOption(
      new Option('--empty <rule>', 'what a field of CSV is that has no text and no quotes')
        .choices(['null', 'text', 'absent'])
        .default('null'),
    )
    .addOption(
      new Option('--nested <rule>', 'what to do with an object or array in a row: reject the row, or store it as JSON')
        .choices(['reject', 'json'])
        .default('reject'),
    )
    .option('--rejects <file>', 'where rejected records go (default: FILE.rejects.ndjson)')
    .option(
      '--state <file>',
      'where the import writes down how far it is (default: FILE.hv-import, removed at the end)',
    )
    .option('--restart', 'begin from the first row; what an earlier run has stored is stored again')
    .addOption(
      new Option('--unknown <rule>', 'rows of which no server can tell whether they are stored').choices([
        'again',
        'skip',
      ]),
    )
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault import cities.ndjson --kind 1 --shard-by country
  npx pg-hypervault import people.csv.gz --kind 2 --shard-by email --empty absent
  psql -c 'copy people to stdout (format csv, header)' | npx pg-hypervault import - --format csv --kind 3 --shard-by email
  npx pg-hypervault import backup.ndjson.gz --keep-keys

Text is stored as it is, null as null; a number as the digits it is written with, true and false as these words.
Standard input cannot be read again: an import from it can be gone on with only if --state is given, by a command that
gives the same bytes once more.

With --json: { "rows", "rejected", "rejects", "resumed" }.`,
    )
    .action((file: string, flags: ImportFlags) => runImport(file, flags, context))
}

async function runImport(file: string, flags: ImportFlags, context: Context): Promise<void> {
  const choices = readChoices(flags)
  using stop = new StopRequest(context.signals, context.output.closed)
  await using input = await openInput(file, context)
  const places = readPlaces(file, flags, context)
  const form = await readForm(input, flags)
  try {
    await context.withDatastore(async (db) => {
      const options = { ...choices, ...form, ...places, signal: stop.signal }
      await printReport(await importWithProgress(db, input, options, context), context)
    }, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error
    tellStopped(places.journalPath, context)
  }
}

async function openInput(file: string, { stdin, output }: Context): Promise<OpenInput> {
  if (file === '-' && stdin.isTTY) output.talk('Type rows; Ctrl-D ends.')
  if (file === '-') return OpenInput.open({ name: 'standard input', path: undefined, stream: stdin })
  try {
    return await OpenInput.open({ name: file, path: file, stream: createReadStream(file) })
  } catch (error) {
    const { what, hint } = explainFile(error, 'read') ?? { what: (error as Error).message, hint: undefined }
    throw new UsageError(`${file} cannot be read: ${what}`, hint ?? 'Name a file, or - for standard input.')
  }
}

async function importWithProgress(
  db: Datastore,
  input: OpenInput,
  options: Omit<ImportOptions, 'onProgress'>,
  { output }: Context,
): Promise<ImportReport> {
  const total = input.path === undefined ? undefined : { total: (await stat(input.path)).size, unit: 'bytes' as const }
  using progress = new TransferProgress(output, total)
  const onProgress = ({ bytes, ...counts }: ImportProgress): void => progress.show({ ...counts, done: bytes })
  return await importInput(db, input, { ...options, onProgress })
}

async function printReport(report: ImportReport, context: Context): Promise<void> {
  const { rows, rejected, rejectsPath, isResumed } = report
  const { output, isJson } = context
  if (isJson) await output.json({ rows, rejected, rejects: rejectsPath ?? null, resumed: isResumed })
  else await output.data(`${formatCount(rows)} rows stored${isResumed ? ', with those of the runs before' : ''}`)
  if (rejectsPath === undefined) return
  context.exitCode = rows > 0 ? 4 : 1
  output.problem(
    `${formatCount(rejected)} records were rejected`,
    `See ${rejectsPath}: each with its line and the reason.`,
  )
}

function tellStopped(journalPath: string | undefined, context: Context): void {
  context.exitCode = 1
  const hint =
    journalPath === undefined
      ? 'What is stored stays. Without --state nobody knows what that is, so it cannot be gone on with.'
      : 'What is stored stays; the same command goes on.'
  context.output.problem('stopped before the end', hint)
}
