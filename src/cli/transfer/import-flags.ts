import { resolve } from 'node:path'
import { assertKind } from '../../entity/rows/entity.ts'
import type { UnknownRule } from '../../transfer/import/import-journal.ts'
import type { ImportOptions, ShardChoice } from '../../transfer/import/import-options.ts'
import type { EmptyRule } from '../../transfer/input/csv-record.ts'
import { decideFormat, defaultDelimiter, type InputFormat } from '../../transfer/input/input-format.ts'
import type { NestedRule } from '../../transfer/input/json-record.ts'
import type { OpenInput } from '../../transfer/input/open-input.ts'
import { parseInteger } from '../arguments/numbers.ts'
import { parseShard } from '../arguments/shards.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'

/** Options of `import`, as commander gives them. */
export interface ImportFlags {
  readonly kind?: string
  readonly shardBy?: string
  readonly shard?: string
  readonly keepKeys?: boolean
  readonly format?: InputFormat
  readonly delimiter?: string
  readonly columns?: string
  readonly empty: EmptyRule
  readonly nested: NestedRule
  readonly rejects?: string
  readonly state?: string
  readonly restart?: boolean
  readonly unknown?: UnknownRule
}

/** What the flags alone say. Throws a {@link UsageError}. */
export function readChoices(
  flags: ImportFlags,
): Pick<ImportOptions, 'shards' | 'kind' | 'empty' | 'nested' | 'isRestart' | 'unknown'> {
  const { kind, empty, nested, restart: isRestart = false, unknown } = flags
  const shards = readShardChoice(flags)
  return {
    shards,
    kind: kind === undefined ? undefined : parseInteger('--kind', kind, assertKind),
    empty,
    nested,
    isRestart,
    unknown,
  }
}

/** How the input is written, as the flags say, or its name, or what is in it. */
export async function readForm(
  input: OpenInput,
  flags: ImportFlags,
): Promise<Pick<ImportOptions, 'format' | 'delimiter' | 'columns'>> {
  const format = flags.format ?? decideFormat(input.name, await input.readHead())
  if (format === undefined) {
    throw new UsageError(
      `the format of ${input.name} is not clear from its name or first character`,
      'Add --format csv, ndjson or json.',
    )
  }
  const delimiter = readDelimiter(flags.delimiter ?? defaultDelimiter(input.name))
  return { format, delimiter, columns: readColumns(flags.columns) }
}

/** Where the import writes besides the shards. */
export function readPlaces(
  file: string,
  { rejects, state }: ImportFlags,
  { cwd }: Context,
): Pick<ImportOptions, 'journalPath' | 'rejectsPath'> {
  const isStream = file === '-'
  const journalPath = state ?? (isStream ? undefined : `${file}.hv-import`)
  const rejectsPath = rejects ?? (isStream ? 'rejects.ndjson' : `${file}.rejects.ndjson`)
  const paths = [...(isStream ? [] : [file]), rejectsPath, ...(journalPath === undefined ? [] : [journalPath])]
  if (new Set(paths.map((path) => resolve(cwd, path))).size < paths.length) {
    throw new UsageError('the file, --rejects and --state must be different files')
  }
  return { journalPath, rejectsPath }
}

function readShardChoice({ shardBy: field, shard, keepKeys }: ImportFlags): ShardChoice {
  if ([field, shard, keepKeys].filter((choice) => choice !== undefined).length !== 1) {
    throw new UsageError(
      'give one of --shard-by, --shard, or --keep-keys (for files that npx pg-hypervault export wrote)',
      'For example: npx pg-hypervault import cities.csv --kind 1 --shard-by country',
    )
  }
  if (keepKeys === true) return { keepsKeys: true }
  if (field !== undefined) return { field }
  return { shardId: parseShard('--shard', shard as string) }
}

function readDelimiter(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  if (/^[\t -~]$/.test(delimiter) && !'"\\'.includes(delimiter)) return delimiter
  throw new UsageError(`--delimiter must be one character such as ; or tab, got ${JSON.stringify(text)}`)
}

function readColumns(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const columns = text.split(',').map((name) => name.trim())
  if (columns.includes('') || new Set(columns).size < columns.length) {
    throw new UsageError(`--columns must be different names, separated by commas, got ${JSON.stringify(text)}`)
  }
  return columns
}
