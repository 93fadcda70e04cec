import { createHash } from 'node:crypto'
import { leadingWords, splitStatements, type SqlStatement } from '../../sql/split-statements.ts'
import { readConcurrent } from './concurrent-statement.ts'
import { readHeader } from './header.ts'
import { migrationInvalid } from './migration-error.ts'
import type { SqlMigration, StepwiseMigration } from './migration.ts'

/** A migration as a source found it. */
export interface MigrationText {
  readonly id: string
  readonly name: string
  readonly text: string
  /** The file, for messages. */
  readonly origin: string
}

/** What a text of SQL is taken for besides what its header says. */
export interface SqlReading {
  /** Whether a text with a statement that needs it goes without a transaction, header or not; default false. */
  readonly isLenient?: boolean
}

/** Statements that begin or end a transaction, of which a migration has one of its own. */
const CONTROL = /^(?:begin|start transaction|commit|end|rollback|abort|prepare transaction|savepoint|release)\b/

/** A setting that would outlive the migration. */
const SESSION_SETTING = /^(?:set (?!local\b|constraints\b)|reset\b|discard\b|listen\b|load\b)/

/** The checksum of a migration, the same for both kinds of line ends. */
export function checksumOf(text: string): string {
  return createHash('sha256').update(normalize(text)).digest('hex')
}

/**
 * Reads a migration in SQL.
 *
 * @throws `HV_MIGRATION_INVALID` for what cannot run, such as no statement at all, or a `commit` in the middle
 */
export function readSqlMigration(
  { id, name, text, origin }: MigrationText,
  { isLenient = false }: SqlReading = {},
): SqlMigration | StepwiseMigration {
  const sql = normalize(text)
  const header = readHeader(sql, origin)
  const statements = split(sql, origin)
  const needsSteps = statements.some((statement) => isConcurrent(statement, origin))
  const isTransactional = header.isTransactional && !(isLenient && needsSteps)
  const words = statements.map((statement) => leadingWords(statement).join(' '))
  assertNoControl(words, origin)
  if (isTransactional) assertTransactional(words, needsSteps, origin)
  const head = { id, name, checksum: checksumOf(sql), isBreaking: header.isBreaking, isAlone: header.isAlone }
  if (!isTransactional) return Object.freeze({ ...head, kind: 'steps', steps: statements })
  return Object.freeze({ ...head, kind: 'sql', text: sql, isShareable: !words.some((each) => each.startsWith('set ')) })
}

function split(sql: string, origin: string): SqlStatement[] {
  try {
    const statements = splitStatements(sql)
    if (statements.length > 0) return statements
  } catch (error) {
    throw migrationInvalid(origin, (error as Error).message, error)
  }
  throw migrationInvalid(origin, 'there is no statement in it')
}

function isConcurrent(statement: SqlStatement, origin: string): boolean {
  try {
    return readConcurrent(statement) !== undefined
  } catch (error) {
    throw migrationInvalid(origin, (error as Error).message, error)
  }
}

function assertNoControl(statements: readonly string[], origin: string): void {
  const control = statements.find((words) => CONTROL.test(words))
  if (control === undefined) return
  throw migrationInvalid(origin, `${control} has no place in it: a migration has a transaction of its own, or none`)
}

function assertTransactional(statements: readonly string[], needsSteps: boolean, origin: string): void {
  if (needsSteps) {
    throw migrationInvalid(origin, 'concurrently needs this as its first line: -- hypervault: no-transaction')
  }
  const setting = statements.find((words) => SESSION_SETTING.test(words))
  if (setting === undefined) return
  throw migrationInvalid(origin, `${setting} would outlive the migration: write set local, or leave it out`)
}

function normalize(text: string): string {
  return text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')
}
