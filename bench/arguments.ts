import { parseArgs } from 'node:util'
import { checkUsage, UsageError } from '../src/cli/arguments/usage-error.ts'

/** What `npm run bench` is asked for. */
export interface BenchArguments {
  readonly isHelp: boolean
  readonly isJson: boolean
  /** Less of everything: a minute is enough. */
  readonly isSmoke: boolean
  /** Rounds that count. */
  readonly rounds: number
  /** Names of workloads. */
  readonly only: readonly string[]
  /** Name of the files in `bench/results`. */
  readonly save: string | undefined
}

/** Rounds without `--rounds`; few for the smoke form. */
export const DEFAULT_ROUNDS = 5
const SMOKE_ROUNDS = 2
const MAX_ROUNDS = 1_000

const options = {
  help: { type: 'boolean', short: 'h', default: false },
  json: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  only: { type: 'string', multiple: true, default: [] as string[] },
  save: { type: 'string' },
} as const

/**
 * Reads the arguments.
 *
 * @param known names of the workloads
 * @throws UsageError that names what is wrong
 */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchArguments {
  const { values } = checkUsage(() => parseArgs({ args: [...args], options, allowPositionals: false }))
  return {
    isHelp: values.help,
    isJson: values.json,
    isSmoke: values.smoke,
    rounds: parseRounds(values.rounds) ?? (values.smoke ? SMOKE_ROUNDS : DEFAULT_ROUNDS),
    only: parseOnly(values.only, known),
    save: parseName(values.save),
  }
}

function parseRounds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rounds = Number(text)
  if (/^\d+$/.test(text) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds
  throw new UsageError(`--rounds must be an integer from 1 to ${MAX_ROUNDS}, got ${JSON.stringify(text)}`)
}

/** `--only get,put` and `--only get --only put` mean the same. */
function parseOnly(texts: readonly string[], known: readonly string[]): string[] {
  const names = texts.flatMap((text) => text.split(',')).map((name) => name.trim())
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length === 0) return names
  throw new UsageError(`no workload ${unknown.map((name) => JSON.stringify(name)).join(', ')}: ${known.join(', ')}`)
}

function parseName(name: string | undefined): string | undefined {
  if (name === undefined || /^\w[\w.-]{0,79}$/.test(name)) return name
  throw new UsageError(`--save must be a file name of letters, digits, dots and dashes, got ${JSON.stringify(name)}`)
}
