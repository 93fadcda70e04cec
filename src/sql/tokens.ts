/*
 * The one place where SQL text is lexed, by the rules of PostgreSQL's own lexer: nested comments, texts with and without escapes,
 * dollar quotes, quoted names.
 */

/** What a piece of SQL is. Space and comments are no tokens. */
export type TokenKind = 'word' | 'quoted' | 'text' | 'dollar' | 'number' | 'parameter' | 'symbol' | 'unended'

/** The smallest piece of SQL that means something, with its place in the text. */
export interface SqlToken {
  readonly kind: TokenKind
  readonly text: string
  readonly start: number
  readonly end: number
}

/** The order matters: a text with a prefix would otherwise be read as a word before a text. */
const patterns: readonly (readonly [TokenKind | 'nothing', RegExp])[] = [
  ['nothing', /\s+|--[^\n]*/y],
  ['text', /[eE]'(?:[^'\\]|\\[^]|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'/y],
  ['quoted', /(?:[uU]&)?"(?:[^"]|"")*"/y],
  ['dollar', /\$((?:[\p{L}_][\p{L}\p{N}_]*)?)\$[^]*?\$\1\$/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['parameter', /\$\d+/y],
  ['number', /\.?\d[\p{L}\p{N}_.]*/uy],
]

/** What begins a piece that has no end. */
const UNENDED = /['"]|\/\*|\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy

/** What to do with a quote or a comment without an end: throw, or take all that follows for a part of it. */
export type UnendedMode = 'throw' | 'toTheEnd'

/**
 * Cuts SQL into tokens.
 *
 * @throws SyntaxError that names the line of a quote or a comment without an end, unless `unended` is `toTheEnd`
 */
export function* tokensOf(sql: string, unended: UnendedMode = 'throw'): Generator<SqlToken> {
  for (let at = 0; at < sql.length;) {
    const { kind, end } = readPiece(sql, at, unended)
    if (kind !== 'nothing') yield { kind, text: sql.slice(at, end), start: at, end }
    at = end
  }
}

interface Piece {
  readonly kind: TokenKind | 'nothing'
  readonly end: number
}

function readPiece(sql: string, at: number, unended: UnendedMode): Piece {
  const end = sql.startsWith('/*', at) ? endOfComment(sql, at) : at
  if (end === undefined) return readUnended(sql, { start: at, end: at + 2 }, unended)
  if (end > at) return { kind: 'nothing', end }
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    if (pattern.test(sql)) return { kind, end: pattern.lastIndex }
  }
  UNENDED.lastIndex = at
  if (UNENDED.test(sql)) return readUnended(sql, { start: at, end: UNENDED.lastIndex }, unended)
  return { kind: 'symbol', end: at + 1 }
}

/** Nobody can tell what is behind the opening mark. */
function readUnended(sql: string, mark: { readonly start: number; readonly end: number }, unended: UnendedMode): Piece {
  if (unended === 'throw') throw unendedError(sql, mark.start, mark.end)
  return { kind: sql.startsWith('/*', mark.start) ? 'nothing' : 'unended', end: sql.length }
}

/** Comments nest. Undefined for one that has no end. */
function endOfComment(sql: string, start: number): number | undefined {
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  for (let depth = 0, mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return undefined
}

function unendedError(sql: string, start: number, end: number): SyntaxError {
  const line = sql.slice(0, start).split('\n').length
  return new SyntaxError(`line ${line}: ${sql.slice(start, end)} has no end`)
}
