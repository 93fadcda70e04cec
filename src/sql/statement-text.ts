import { joinTokens } from './redact.ts'
import { splitStatements } from './split-statements.ts'
import type { SqlToken } from './tokens.ts'

/** What a text does to the transaction that it is run in. */
export interface TransactionControl {
  /** Its first statement begins a transaction. */
  readonly begins: boolean
  /** Its last statement commits. */
  readonly commits: boolean
  /** One of its statements ends a transaction, and something comes after that: another statement, or `and chain`. */
  readonly goesOn: boolean
  /** Any of its statements begins or ends one; a savepoint does neither. */
  readonly controls: boolean
}

const noControl: TransactionControl = Object.freeze({ begins: false, commits: false, goesOn: false, controls: false })

/** Told at once of most texts: one without these words controls no transaction. */
const CONTROL_WORD = /\b(?:begin|start|commit|end|abort|rollback|prepare)\b/i

const BEGIN = /^(?:begin|start transaction)\b/
const COMMIT = /^(?:commit|end)\b(?! prepared)/
const END = /^(?:commit|end|abort|rollback(?!(?: work| transaction)? to\b)|prepare transaction)\b(?! prepared)/
const CHAIN = /\band chain\b/

/** Reads what a text of one or more statements does to its transaction. */
export function readControl(text: string): TransactionControl {
  if (!CONTROL_WORD.test(text)) return noControl
  const statements = listStatements(text)
  const [first = ''] = statements
  const ends = statements.map((statement) => END.test(statement))
  return {
    begins: BEGIN.test(first),
    commits: COMMIT.test(statements.at(-1) ?? ''),
    goesOn: ends.lastIndexOf(true, -2) !== -1 || statements.some((each, index) => ends[index] && CHAIN.test(each)),
    controls: ends.includes(true) || statements.some((statement) => BEGIN.test(statement)),
  }
}

/**
 * Tells whether a text leaves in its session what no sweep takes away: a library, a seed, a slot or an origin of
 * replication, a backup, a connection of its own, variables of a language. What a function does is not seen.
 */
export function outlivesSweep(text: string): boolean {
  if (INDELIBLE_CALL.test(text)) return true
  return INDELIBLE_WORD.test(text) && listStatements(text).some((statement) => INDELIBLE.test(statement))
}

const INDELIBLE_CALL = new RegExp(
  [
    String.raw`\bsetseed\b|\bpg_(?:start_backup|backup_start|replication_origin_session_setup)\b`,
    String.raw`\bpg_(?:create|copy)_(?:logical|physical)_replication_slot\b|\bdblink_connect`,
  ].join('|'),
  'i',
)
const INDELIBLE_WORD = /\b(?:load|seed|do)\b/i
const INDELIBLE = /^(?:load\b|set (?:session )?seed\b|do\b.*\blanguage (?!plpgsql\b|sql\b))/

/** The statements of a text in lower case, without comments, and with `?` for what is quoted. */
export function listStatements(text: string): string[] {
  return splitStatements(text, 'toTheEnd').map(({ tokens }) => joinTokens(tokens, bareText).toLowerCase())
}

function bareText({ kind, text }: SqlToken): string {
  return kind === 'word' || kind === 'parameter' || kind === 'symbol' ? text : '?'
}
