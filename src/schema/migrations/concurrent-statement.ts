import { leadingWords, type SqlStatement } from '../../sql/split-statements.ts'
import type { SqlToken } from '../../sql/tokens.ts'

/*
 * Statements that PostgreSQL does in several transactions of its own, and that leave an index behind that is not valid
 * when they do not come to their end.
 */

/** What a statement does to an index without holding up writers. */
export type ConcurrentStatement =
  | {
      readonly action: 'create' | 'drop'
      /** As it is written, quotes included: only the server knows how it folds and cuts a name. */
      readonly index: string
      /** Whether it says `if [not] exists`. */
      readonly isConditional: boolean
    }
  | { readonly action: 'reindex' }

const CREATE = /^create (?:unique )?index concurrently /
const DROP = /^drop index concurrently /
const REINDEX = /^reindex (?:\(.*?\) )?(?:index|table|schema|database) concurrently /

/**
 * Reads a statement; undefined for one that is not concurrent.
 *
 * @throws SyntaxError for an index without a name: what it left behind could not be found again
 */
export function readConcurrent({ tokens }: SqlStatement): ConcurrentStatement | undefined {
  const text = `${tokens.map(({ text: token }) => token.toLowerCase()).join(' ')} `
  const create = CREATE.exec(text)
  if (create !== null) return { action: 'create', ...nameAfter(tokens, create[0]) }
  const drop = DROP.exec(text)
  if (drop !== null) return { action: 'drop', ...nameAfter(tokens, drop[0]) }
  return REINDEX.test(text) ? { action: 'reindex' } : undefined
}

/** Statements that PostgreSQL refuses in a transaction, besides those with `concurrently`. */
const OUTSIDE = /^(?:vacuum|reindex|cluster|alter system|(?:create|drop) (?:database|tablespace|subscription))\b/

/** Whether a statement can be in one transaction with another. */
export function fitsTransaction(statement: SqlStatement): boolean {
  if (OUTSIDE.test(leadingWords(statement).join(' '))) return false
  const isConcurrent = statement.tokens.some(({ kind, text }) => kind === 'word' && /^concurrently$/i.test(text))
  return !isConcurrent || leadingWords(statement)[0] === 'refresh'
}

/** The name that stands after so many words and `if [not] exists`; of a qualified one the last part. */
function nameAfter(tokens: readonly SqlToken[], head: string): { index: string; isConditional: boolean } {
  let at = head.trim().split(' ').length
  const isConditional = tokens[at]?.text.toLowerCase() === 'if'
  while (tokens[at]?.kind === 'word' && /^(?:if|not|exists)$/i.test(tokens[at]?.text ?? '')) at += 1
  while (tokens[at + 1]?.text === '.') at += 2
  const token = tokens[at]
  if (token === undefined || token.text.toLowerCase() === 'on') throw new SyntaxError('give the index a name')
  if (/^u&/i.test(token.text)) throw new SyntaxError('give the index a name without U&')
  return { index: token.text, isConditional }
}
