import { Query, type BindConfig, type Connection } from 'pg'
import type { TextRow } from './text-rows.ts'

/** A statement as it is sent. */
export interface FlightStatement {
  readonly text: string
  /** Texts, and Buffers in PostgreSQL's binary format. */
  readonly values: readonly unknown[]
  /** Under which the server is to keep it; undefined if it is not. */
  readonly name: string | undefined
  /** After which pg gives it up; see `noQueryTimeout`. */
  readonly queryTimeoutMs: number | undefined
  /** Names of other statements that the server is to forget before. */
  readonly dropped: readonly string[]
}

/** How a {@link FlightQuery} ends: without an error, or with one. */
export type FlightEnd = (error: unknown, rows: TextRow[]) => void

/**
 * One statement on a channel, as pg takes it: a `Query` of its own that keeps each row as the texts it came as. It does
 * not ask for a description of the rows, because the statements of Hypervault know theirs; that spares the server and
 * pg a message for each statement. Derived from `Query`, because pg pipelines nothing else.
 *
 * The names of fields and methods are those that pg 8.23 looks for.
 */
export class FlightQuery extends Query {
  readonly text: string
  readonly name: string | undefined
  readonly values: unknown[]
  readonly callback: (error: unknown) => void
  /** The time for a statement is that of who sends it, who has the server cancel it. */
  readonly query_timeout: number | undefined
  readonly #dropped: readonly string[]
  readonly #rows: TextRow[] = []

  constructor(statement: FlightStatement, end: FlightEnd) {
    super('')
    this.text = statement.text
    this.name = statement.name
    this.values = statement.values as unknown[]
    this.#dropped = statement.dropped
    this.query_timeout = statement.queryTimeoutMs
    this.callback = (error) => end(error, this.#rows)
  }

  requiresPreparation(): boolean {
    return true
  }

  handleRowDescription(): void {
    // Not asked for.
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete(): void {
    // The rows are counted as they come.
  }

  /** Called by `submit()`: writes the messages of one statement, the last of which ends its transaction. */
  prepare(connection: Connection): void {
    for (const name of this.#dropped) connection.close({ type: 'S', name }, true)
    if (!this.#isKnown(connection)) connection.parse({ text: this.text, name: this.name ?? '', types: [] }, true)
    connection.bind({ statement: this.name, values: this.values } as BindConfig, true)
    connection.execute({}, true)
    connection.sync()
  }

  /** Tells whether the server has the statement already; if not, notes that it is about to. */
  #isKnown(connection: Connection): boolean {
    if (this.name === undefined) return false
    const { parsedStatements, submittedNamedStatements } = connection as unknown as Record<
      'parsedStatements' | 'submittedNamedStatements',
      Record<string, string>
    >
    if (parsedStatements[this.name] !== undefined || submittedNamedStatements[this.name] !== undefined) return true
    submittedNamedStatements[this.name] = this.text
    return false
  }
}
