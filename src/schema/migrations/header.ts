import { migrationInvalid } from './migration-error.ts'

/** What a header says of a migration. */
export interface MigrationHeader {
  readonly isTransactional: boolean
  readonly isBreaking: boolean
  readonly isAlone: boolean
}

const marks: readonly string[] = ['no-transaction', 'breaking', 'alone']

/** A comment of one line, in SQL or TypeScript. */
const COMMENT = /^(?:--|\/\/)(.*)$/

const HEADER = /^\s*hypervault:(.*)$/

/**
 * Reads the header, a comment before all else such as `-- hypervault: no-transaction, breaking, alone`. Without one a
 * migration is transactional, and neither of the others.
 *
 * @throws `HV_MIGRATION_INVALID` for a mark that is not known: it would be passed over otherwise
 */
export function readHeader(text: string, origin: string): MigrationHeader {
  const found = leadingComments(text).flatMap((comment) => listMarks(comment))
  const unknown = found.filter((mark) => !marks.includes(mark))
  if (unknown.length > 0) {
    throw migrationInvalid(origin, `the header says ${unknown.join(', ')}; it may say ${marks.join(', ')}`)
  }
  return Object.freeze({
    isTransactional: !found.includes('no-transaction'),
    isBreaking: found.includes('breaking'),
    isAlone: found.includes('alone'),
  })
}

function leadingComments(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  const end = lines.findIndex((line) => line !== '' && !COMMENT.test(line))
  return lines.slice(0, end === -1 ? lines.length : end).flatMap((line) => COMMENT.exec(line)?.[1] ?? [])
}

function listMarks(comment: string): string[] {
  const list = HEADER.exec(comment)?.[1]
  return list === undefined ? [] : list.split(',').map((mark) => mark.trim().toLowerCase())
}
