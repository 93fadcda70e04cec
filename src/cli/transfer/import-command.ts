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
      'Stores the rows of a file as entities: NDJSON, a JSON array or CSV, optionally compressed with gzip. Safe to stop at any point, even with kill -9: the same command continues, and no row is lost or duplicated. Records that cannot be stored are written to a separate file, with line and reason; the exit code is then 4.',
    )
    .argument('<file>', 'file to read, or - for standard input')
    .option('--kind <kind>', 'kind of the entities; lines written by export include their kind')
    .option('--shard-by <field>', 'field whose value chooses the shard of a row, as shardFor() does')
    .option('--shard <shard>', 'one shard for all rows')
    .option(
      '--keep-keys',
      'keep the keys, and so the shards, that npx pg-hypervault export wrote; no entity is overwritten',
    )
    .addOption(
      new Option('--format <format>', 'format of the file (default: from its name or first character)').choices(
        inputFormats,
      ),
    )
    .option('--delimiter <mark>', 'separator of CSV fields (default: comma, or tab for .tsv)')
    .option('--columns <names>', 'names of the CSV columns, separated by commas, if the file has no header')
    .addOption(
      new Option('--empty <rule>', 'value of an empty CSV field without quotes')
        .choices(['null', 'text', 'absent'])
        .default('null'),
    )
    .addOption(
      new Option('--nested <rule>', 'what to do with an object or array in a row: reject the row, or store it as JSON')
        .choices(['reject', 'json'])
        .default('reject'),
    )
    .option('--rejects <file>', 'file for rejected records (default: FILE.rejects.ndjson)')
    .option(
      '--state <file>',
      'file in which the import records its progress (default: FILE.hv-import, removed at the end)',
    )
    .option('--restart', 'start over from the first row; rows stored by an earlier run are stored again')
    .addOption(
      new Option('--unknown <rule>', 'what to do with rows for which it is unknown whether they were stored').choices([
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

Text is stored unchanged, null as null, numbers with the digits of the file, true and false as these words.
An import from standard input can be continued only with --state, and only if standard input supplies the same bytes
again.

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
  if (file === '-' && stdin.isTTY) output.talk('Type rows; end with Ctrl-D.')
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
  else await output.data(`${formatCount(rows)} rows stored${isResumed ? ', including those of earlier runs' : ''}`)
  if (rejectsPath === undefined) return
  context.exitCode = rows > 0 ? 4 : 1
  output.problem(
    `${formatCount(rejected)} records were rejected`,
    `See ${rejectsPath}, which lists each with its line and the reason.`,
  )
}

function tellStopped(journalPath: string | undefined, context: Context): void {
  context.exitCode = 1
  const hint =
    journalPath === undefined
      ? 'The rows stored so far are kept. Without --state, the import cannot be continued.'
      : 'The rows stored so far are kept. To continue, run the same command again.'
  context.output.problem('stopped before the end', hint)
}
