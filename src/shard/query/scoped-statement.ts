import type { Connection, PoolClient, Submittable } from 'pg'
import { HypervaultError } from '../../errors.ts'
import { classifyFailure, sqlstateOf } from '../../pool/failure.ts'
import { listStatements, readControl, type TransactionControl } from '../../sql/statement-text.ts'
import type { ScopeHead, ShardScope } from '../shard-scope.ts'
import { callerError, commitUnknown, isDead, statementError } from '../statement-error.ts'

/*
 * A statement of a caller as pg takes it (a `Query`, a cursor, a stream), made to run in the scope of a shard. Whether it
 * needs a head is decided when it is sent, because only then it is known what the statements before it have left.
 *
 *   a transaction is open     nothing is added: its scope was set when it began
 *   none is, without values   one text, head and all, in the simple protocol: one transaction, whatever it consists of
 *   none is, with values      the messages of the head, and those of the statement, before one Sync: one transaction as well
 *
 * Either way it is one round trip, and one unit for a pooler. The answers to the head are kept from the statement.
 */

/** The methods that pg calls on a statement. */
interface StatementMethods {
  submit: (connection: Connection) => Error | null | undefined
  handleRowDescription: (message: unknown) => void
  handleDataRow: (message: unknown) => void
  handleCommandComplete: (message: unknown, connection: Connection) => void
  handleError: (error: unknown, connection: Connection) => void
}

/** A statement that returns rows; a stream of `COPY` is none. */
interface RowStatement extends StatementMethods {
  text?: unknown
  /** Most rows that are asked for at once. */
  rows?: unknown
  requiresPreparation?: () => boolean
}

/** Where a statement runs. */
export interface StatementPlace {
  readonly client: PoolClient
  readonly scope: ShardScope
  readonly shardId: number
  readonly serverId: string
}

/** SQLSTATEs of a statement that must be the only one of its transaction. */
const loners: ReadonlySet<string> = new Set([
  '25001', // active_sql_transaction
  '2D000', // invalid_transaction_termination: a procedure that commits
])

const MISSING = '3F000' // invalid_schema_name

/**
 * Makes a statement run in the scope of a shard, by replacing its methods. What it rejects with gets a code where one is
 * due; see {@link callerError}.
 */
export function scopeStatement(statement: Submittable, place: StatementPlace): void {
  new ScopedStatement(statement as RowStatement, place).attach()
}

class ScopedStatement {
  readonly #statement: RowStatement
  readonly #original: StatementMethods
  readonly #place: StatementPlace
  readonly #control: TransactionControl
  /** Statements of the head that are not answered. */
  #awaited = 0
  /** Set when the statement was sent outside of a transaction. */
  #wasAlone = false
  /** Characters in front of the text of the statement. */
  #offset = 0

  constructor(statement: RowStatement, place: StatementPlace) {
    this.#statement = statement
    this.#original = pickMethods(statement)
    this.#place = place
    this.#control = readControl(typeof statement.text === 'string' ? statement.text : '')
  }

  attach(): void {
    const statement = this.#statement
    const { handleRowDescription, handleDataRow, handleCommandComplete, handleError } = this.#original
    statement.submit = (connection) => this.#submit(connection)
    statement.handleError = (error, connection) => {
      // pg asks a statement of several portions for the end only when it has succeeded.
      if (isQuery(statement) && statement.rows !== undefined && sqlstateOf(error) !== undefined) connection.sync()
      handleError.call(statement, this.#coded(error), connection)
    }
    statement.handleRowDescription = (message) => {
      if (this.#awaited === 0) handleRowDescription.call(statement, message)
    }
    statement.handleDataRow = (message) => {
      if (this.#awaited === 0) handleDataRow.call(statement, message)
    }
    statement.handleCommandComplete = (message, connection) => {
      if (this.#awaited === 0) handleCommandComplete.call(statement, message, connection)
      else this.#awaited -= 1
    }
  }

  #submit(connection: Connection): Error | null | undefined {
    const { client, scope } = this.#place
    if (client.getTransactionStatus() !== 'I') return this.#original.submit.call(this.#statement, connection)
    const refusal = this.#findRefusal()
    if (refusal !== undefined) return refusal
    this.#wasAlone = true
    const isBegin = this.#control.begins && (isSimple(this.#statement) || this.#canBeSimple())
    const head = isBegin ? scope.begin : scope.alone
    this.#awaited = head.commands
    return isSimple(this.#statement) ? this.#submitText(head, connection) : this.#submitBehind(head, connection)
  }

  /** The head of a begin is several statements, which only one protocol takes. A begin alone means the same in both. */
  #canBeSimple(): boolean {
    const statement = this.#statement as RowStatement & { values?: readonly unknown[] }
    if (!isQuery(statement) || listStatements(String(statement.text)).length > 1) return false
    if ((statement.values ?? []).length > 0) return false
    statement.requiresPreparation = () => false
    return true
  }

  #submitText({ sql }: ScopeHead, connection: Connection): Error | null | undefined {
    const before = `${sql}; `
    this.#offset = Array.from(before).length
    this.#statement.text = `${before}${String(this.#statement.text)}`
    return this.#original.submit.call(this.#statement, connection)
  }

  #submitBehind({ sql }: ScopeHead, connection: Connection): Error | null | undefined {
    connection.stream.cork()
    try {
      connection.parse({ text: sql, name: '', types: [] }, true)
      connection.bind({}, true)
      connection.execute({}, true)
      return this.#original.submit.call(this.#statement, connection)
    } finally {
      connection.stream.uncork()
    }
  }

  /** Why it cannot be run in the scope of a shard. Nothing was sent. */
  #findRefusal(): HypervaultError | undefined {
    if (this.#control.goesOn) return this.#refused('it ends a transaction and goes on after it', undefined)
    if (!isRowStatement(this.#original)) return this.#refused('a stream needs an open transaction', undefined)
    return undefined
  }

  #coded(error: unknown): unknown {
    const { client, shardId, serverId } = this.#place
    const sqlstate = sqlstateOf(error)
    if (this.#awaited > 0 && sqlstate === MISSING) return statementError(error, { shardId, serverId, isWrite: false })
    if (this.#wasAlone && !this.#control.begins && loners.has(sqlstate ?? '')) {
      return this.#refused('it cannot be run in a transaction', error)
    }
    if (this.#control.commits && this.#isUnanswered(error)) return commitUnknown(error, this.#place)
    this.#correctPosition(error)
    return callerError(error, { shardId, serverId, isDead: isDead(client) })
  }

  #isUnanswered(error: unknown): boolean {
    const { kind, sqlstate } = classifyFailure(error)
    return kind === 'lost' && (sqlstate !== undefined || isDead(this.#place.client))
  }

  #refused(why: string, cause: unknown): HypervaultError {
    const { shardId } = this.#place
    const message = `a statement was not run through the pool of shard ${shardId}: ${why}`
    return new HypervaultError('HV_STATEMENT_REFUSED', message, { shardId }, cause === undefined ? {} : { cause })
  }

  /** The server counts from the begin of what it was sent. */
  #correctPosition(error: unknown): void {
    const { position } = error as { position?: unknown }
    if (this.#offset === 0 || typeof position !== 'string') return
    ;(error as { position: string }).position = String(Number(position) - this.#offset)
  }
}

function pickMethods(statement: RowStatement): StatementMethods {
  const { submit, handleRowDescription, handleDataRow, handleCommandComplete, handleError } = statement
  return { submit, handleRowDescription, handleDataRow, handleCommandComplete, handleError }
}

function isRowStatement({ handleRowDescription, handleDataRow }: StatementMethods): boolean {
  return typeof handleRowDescription === 'function' && typeof handleDataRow === 'function'
}

/** True for a `Query` of pg, also of another copy of it. */
export function isQuery(statement: unknown): statement is Submittable & { requiresPreparation: () => boolean } {
  const { requiresPreparation, submit } = Object(statement) as RowStatement
  return typeof requiresPreparation === 'function' && typeof submit === 'function'
}

/** True for what pg sends as one text. */
function isSimple(statement: unknown): boolean {
  return isQuery(statement) && !statement.requiresPreparation()
}
