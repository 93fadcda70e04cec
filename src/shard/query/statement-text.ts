import { redactSql } from '../../pool/redact.ts'

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
 * Tells whether a text may change settings of the session, such as its search path, beyond its transaction. What a function
 * does is not seen.
 */
export function changesSession(text: string): boolean {
  if (!/\bset(?:_config)?\b/i.test(text)) return false
  return listStatements(text).some(
    (statement) => SESSION_SET.test(statement) || statement.replaceAll(LOCAL_CONFIG, '').includes('set_config'),
  )
}

/** `set`, and a block of code, which may hold anything. */
const SESSION_SET = /^(?:set (?!local\b|transaction\b|constraints\b)|do\b)/

/** A `set_config` whose last argument says that it ends with the transaction. */
const LOCAL_CONFIG = /\bset_config ?\([^()]*, ?true ?\)/g

/** The statements of a text in lower case, without comments, and with `?` for what is quoted. */
function listStatements(text: string): string[] {
  const bare = redactSql(text)
    .replaceAll(/"(?:[^"]|"")*(?:"|$)/g, '?')
    .toLowerCase()
  const statements = bare.split(';').map((statement) => statement.trim())
  return dropBodyEnds(statements.filter((statement) => statement !== ''))
}

/** The body of a function in SQL's own form has semicolons, and an `end` that ends no transaction. */
function dropBodyEnds(statements: readonly string[]): string[] {
  let bodies = 0
  return statements.filter((statement) => {
    if (/\bbegin atomic\b/.test(statement)) bodies += 1
    const isBodyEnd = bodies > 0 && statement === 'end'
    if (isBodyEnd) bodies -= 1
    return !isBodyEnd
  })
}
