import { Option, type Command } from 'commander'
import type { Datastore } from '../../datastore/datastore.ts'
import { isHypervaultError } from '../../errors.ts'
import type { ExportChoices, ExportReport } from '../../transfer/export/export-options.ts'
import { exportToFile } from '../../transfer/export/export-to-file.ts'
import { exportToSink } from '../../transfer/export/export-to-sink.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { readExportChoices, readExportPlaces, type ExportFlags } from './export-flags.ts'
import { ExportProgressLine } from './export-progress-line.ts'

/** Standard output in the place of a file. */
const STREAM = '-'

/** `npx pg-hypervault export`: entities go into a file. */
export function addExportCommand(program: Command, context: Context): void {
  program
    .command('export')
    .summary('write entities to a file')
    .description(
      'Writes entities as NDJSON or CSV, in order of creation, in a form that npx pg-hypervault import can read. An export to a file is safe to stop at any point, even with kill -9: the same command continues, and no entity is lost or duplicated. Exit code 4 if shards were left out.',
    )
    .argument('[file]', 'file to write, or - for standard output', STREAM)
    .option('--kind <kinds>', 'only these kinds, separated by commas, one after the other (default: all)')
    .option('--shards <ranges>', "only these shards, such as '1-9,12'; the end of a range is not included")
    .option(
      '--created-after <time>',
      'only entities created at or after this time: 2026-01-31 (in UTC), or 2026-01-31T12:00:00Z',
    )
    .option('--created-before <time>', 'only entities created before this time')
    .addOption(
      new Option('--format <format>', 'format of the file (default: csv for .csv, otherwise ndjson)').choices([
        'ndjson',
        'csv',
      ]),
    )
    .option(
      '--columns <names>',
      'CSV: keys of the body that get a column each, separated by commas (default: the whole body as JSON in one column)',
    )
    .option('--gzip', 'compress the file (default for .gz)')
    .addOption(
      new Option(
        '--on-shard-error <rule>',
        'what to do about a shard that cannot be read: stop, or continue without it',
      )
        .choices(['throw', 'skip'])
        .default('throw'),
    )
    .option(
      '--state <file>',
      'file in which the export records its progress (default: FILE.hv-export, removed at the end)',
    )
    .option('--restart', 'start over from the first entity; an existing file is replaced')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault export backup.ndjson.gz
  npx pg-hypervault export cities.csv --kind 1 --columns name,country
  npx pg-hypervault export --shards 1-9 --created-after 2026-01-01 | jq -r .body.email
  npx pg-hypervault import backup.ndjson.gz --keep-keys     restores it

An export is not a snapshot: it may or may not include changes made while it runs. While FILE.hv-export exists, the file is
incomplete. The same command appends shards that were left out, once they can be read.

With --json, for a file: { "entities", "resumed", "missing": [{ "shardId", "serverId", "code" }] }.`,
    )
    .action((file: string, flags: ExportFlags) => runExport(file, flags, context))
}

async function runExport(file: string, flags: ExportFlags, context: Context): Promise<void> {
  const { output, signals, isJson } = context
  const isStream = file === STREAM
  if (isStream) assertStreamFlags(flags, isJson)
  const choices = readExportChoices(file, flags)
  const places = isStream ? undefined : await readExportPlaces(file, flags, context)
  using stop = new StopRequest(signals, output.closed)
  try {
    await context.withDatastore(async (db) => {
      using progress = new ExportProgressLine(db, choices, output, isStream)
      const all: ExportChoices = {
        ...choices,
        signal: stop.signal,
        onProgress: (entities) => progress.show(entities),
      }
      const report = await (places === undefined ? exportToOutput(db, all, context) : exportToFile(db, all, places))
      progress[Symbol.dispose]()
      await printReport(report, isStream, context)
    }, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error
    tellStopped(isStream, context)
  }
}

function assertStreamFlags({ state, restart }: ExportFlags, isJson: boolean): void {
  if (state !== undefined || restart === true) {
    throw new UsageError('--state and --restart require a file: an export to standard output cannot be continued')
  }
  if (isJson) throw new UsageError('--json requires a file: the entities go to standard output', 'Name a file.')
}

function exportToOutput(db: Datastore, choices: ExportChoices, { output }: Context): Promise<ExportReport> {
  return exportToSink(db, choices, (bytes) => output.bytes(bytes))
}

async function printReport(report: ExportReport, isStream: boolean, context: Context): Promise<void> {
  const { output, isJson } = context
  const { entities, isResumed, missingShards } = report
  const missing = missingShards.map(({ shardId, serverId = null, error }) => {
    return { shardId, serverId, code: isHypervaultError(error) ? error.code : null }
  })
  const said = `${formatCount(entities)} entities written${isResumed ? ', including those of earlier runs' : ''}`
  if (isJson) await output.json({ entities, resumed: isResumed, missing })
  else if (isStream) output.talk(said)
  else await output.data(said)
  if (missing.length === 0) return
  context.exitCode = entities > 0 ? 4 : 1
  const shards = formatShards(missing.map(({ shardId }) => shardId))
  const reasons = [...new Set(missing.map(({ code }) => code ?? 'unexpected'))].join(', ')
  output.problem(
    `${formatCount(missing.length)} shards could not be read and are missing: ${shards} (${reasons})`,
    isStream ? 'Export them with --shards once they can be read.' : 'The same command adds them once they can be read.',
  )
}

/** Who reads no more does not want to know. */
function tellStopped(isStream: boolean, context: Context): void {
  const { output } = context
  if (isStream && output.closed.aborted) return
  context.exitCode = 1
  const hint = isStream
    ? 'An export to standard output cannot be continued. An export to a file can.'
    : 'The entities written so far are kept. To continue, run the same command again.'
  output.problem('stopped before the end', hint)
}
