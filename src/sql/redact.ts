import { tokensOf, type SqlToken } from './tokens.ts'

/**
 * A statement without the values written into it: every literal becomes `?`, comments go, white space is folded. Whatever
 * follows a quote without an end is taken for a literal, so that nothing behind it is shown.
 */
export function redactSql(sql: string): string {
  return joinTokens(tokensOf(sql, 'toTheEnd'), ({ kind, text }) => (shown.has(kind) ? text : '?'))
}

const shown: ReadonlySet<string> = new Set(['word', 'quoted', 'parameter', 'symbol'])

/** The tokens as a text, with one space wherever there was space or a comment. */
export function joinTokens(tokens: Iterable<SqlToken>, show: (token: SqlToken) => string): string {
  let [text, end] = ['', 0]
  for (const token of tokens) {
    text += (token.start > end && text !== '' ? ' ' : '') + show(token)
    end = token.end
  }
  return text
}
