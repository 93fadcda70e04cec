import type { ClientBase } from 'pg'
import { sqlstateOf } from './failure.ts'
import { FlightQuery, type FlightEnd } from './flight-query.ts'
import { noQueryTimeout } from './pg-internals.ts'
import type { PreparedStatements } from './prepared-statements.ts'

/** A statement of Hypervault itself. */
export interface ServerStatement {
  readonly text: string
  /** Texts, and Buffers in PostgreSQL's binary format. */
  readonly values: readonly (string | Buffer)[]
}

/** Where a statement is sent: a client, and what it has prepared; undefined if nothing is to be prepared. */
export interface StatementTarget {
  readonly client: Pick<ClientBase, 'query'>
  readonly statements: PreparedStatements | undefined
}

/**
 * Sends a statement, prepared if there is a place for it; again if the server wants it to be prepared anew. Not inside
 * a transaction that others began: it would be lost by then.
 */
export function sendStatement(target: StatementTarget, statement: ServerStatement, end: FlightEnd): void {
  sendOnce(target, statement, (error, rows) => {
    const { statements } = target
    if (statements === undefined || !staleStatement.has(sqlstateOf(error) ?? '')) return end(error, rows)
    statements.drop(statement.text)
    sendOnce(target, statement, end)
  })
}

function sendOnce({ client, statements }: StatementTarget, { text, values }: ServerStatement, end: FlightEnd): void {
  const name = statements?.use(text)
  const dropped = statements?.takeDropped() ?? []
  // Bound: that of the caller: a channel, or a session of a shard.
  client.query(new FlightQuery({ text, values, name, dropped, queryTimeoutMs: noQueryTimeout(client) }, end))
}

/** SQLSTATEs of a prepared statement that must be prepared anew; the server has not begun to execute it. */
const staleStatement: ReadonlySet<string> = new Set([
  '0A000', // feature_not_supported: cached plan must not change result type
  '26000', // invalid_sql_statement_name
])
