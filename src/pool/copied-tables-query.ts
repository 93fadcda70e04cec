import { Query } from 'pg'
import { decodeCopyRow } from './decode-copy-row.ts'
import type { TextRow } from './text-rows.ts'

/** How a {@link CopiedTablesQuery} ends: without an error, or with one. */
export type CopiedTablesEnd = (error: Error | null, tables: TextRow[][]) => void

/**
 * Some `copy … to stdout` in one text, as pg takes them: gives the rows of each. To copy a table out, PostgreSQL neither
 * plans nor opens its indexes, so the first look at a table costs a session a third of what a `select` does.
 *
 * The names of methods are those that pg 8.23 looks for.
 */
export class CopiedTablesQuery extends Query {
  readonly callback: (error: Error | null) => void
  readonly #tables: TextRow[][] = []
  #rows: TextRow[] = []

  constructor(statements: readonly string[], end: CopiedTablesEnd) {
    super(statements.join(';\n'))
    this.callback = (error) => end(error, this.#tables)
  }

  /** The server sends one message for each row. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#rows.push(decodeCopyRow(chunk.toString()))
  }

  handleCommandComplete(): void {
    this.#tables.push(this.#rows)
    this.#rows = []
  }
}
