/*
 * Where one statement of SQL ends and the next one begins. A semicolon ends a statement unless it stands in a text, a
 * quoted name, a comment, a dollar quote, parentheses, or the body of a routine in SQL's own form (`begin atomic … end`).
 * These are the rules that psql goes by; the server itself never tells.
 */

/** What a piece of SQL is. Space and comments are no tokens. */
export type TokenKind = 'word' | 'quoted' | 'text' | 'dollar' | 'number' | 'symbol'

/** The smallest piece of SQL that means something, with its place in the text. */
export interface SqlToken {
  readonly kind: TokenKind
  readonly text: string
  readonly start: number
  readonly end: number
}

/** One statement, from its first token to its last, without the semicolon. */
export interface SqlStatement {
  readonly text: string
  readonly tokens: readonly SqlToken[]
}

/** The order matters: a text with a prefix would otherwise be read as a word before a text. */
const patterns: readonly (readonly [TokenKind | 'nothing', RegExp])[] = [
  ['nothing', /\s+|--[^\n]*/y],
  ['text', /[eE]'(?:[^'\\]|\\[^]|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'/y],
  ['quoted', /(?:[uU]&)?"(?:[^"]|"")*"/y],
  ['dollar', /\$((?:[\p{L}_][\p{L}\p{N}_]*)?)\$[^]*?\$\1\$/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['number', /\.?\d[\p{L}\p{N}_.]*|\$\d+/uy],
]

/** What begins a piece that has no end. */
const UNENDED = /['"]|\/\*|\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy

/** Cuts SQL into tokens. Throws a SyntaxError that names the line of a quote or a comment without an end. */
export function* tokensOf(sql: string): Generator<SqlToken> {
  for (let at = 0; at < sql.length;) {
    const { kind, end } = readPiece(sql, at)
    if (kind !== 'nothing') yield { kind, text: sql.slice(at, end), start: at, end }
    at = end
  }
}

/** Cuts SQL into statements; what holds nothing but comments is none. Throws what {@link tokensOf} throws. */
export function splitStatements(sql: string): SqlStatement[] {
  const statements: SqlStatement[] = []
  const tokens: SqlToken[] = []
  const nesting = new Nesting()
  for (const token of tokensOf(sql)) {
    const isEnd = token.text === ';' && nesting.isOutside
    if (!isEnd) nesting.note(token, tokens)
    if (!isEnd) tokens.push(token)
    else if (tokens.length > 0) statements.push(toStatement(sql, tokens.splice(0)))
  }
  if (tokens.length > 0) statements.push(toStatement(sql, tokens))
  return statements
}

/** The first words of a statement in lower case, up to the first token that is none. */
export function leadingWords({ tokens }: SqlStatement): string[] {
  const end = tokens.findIndex(({ kind }) => kind !== 'word')
  return tokens.slice(0, end === -1 ? tokens.length : end).map(({ text }) => text.toLowerCase())
}

function readPiece(sql: string, at: number): { kind: TokenKind | 'nothing'; end: number } {
  if (sql.startsWith('/*', at)) return { kind: 'nothing', end: endOfComment(sql, at) }
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    if (pattern.test(sql)) return { kind, end: pattern.lastIndex }
  }
  UNENDED.lastIndex = at
  if (UNENDED.test(sql)) throw unendedError(sql, at, UNENDED.lastIndex)
  return { kind: 'symbol', end: at + 1 }
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  for (let depth = 0, mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  throw unendedError(sql, start, start + 2)
}

function unendedError(sql: string, start: number, end: number): SyntaxError {
  const line = sql.slice(0, start).split('\n').length
  return new SyntaxError(`line ${line}: ${sql.slice(start, end)} has no end`)
}

function toStatement(sql: string, tokens: readonly SqlToken[]): SqlStatement {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return Object.freeze({ text: sql.slice(first?.start, last?.end), tokens: Object.freeze([...tokens]) })
}

/** How deep in parentheses and in the body of a routine a token stands. */
class Nesting {
  #parentheses = 0
  #blocks = 0

  get isOutside(): boolean {
    return this.#parentheses === 0 && this.#blocks === 0
  }

  /** @param before the tokens of the same statement that come before this one */
  note({ kind, text }: SqlToken, before: readonly SqlToken[]): void {
    if (before.length === 0) this.#parentheses = 0
    if (text === '(') this.#parentheses += 1
    if (text === ')') this.#parentheses = Math.max(0, this.#parentheses - 1)
    if (kind === 'word' && isRoutine(before)) this.#noteWord(text.toLowerCase(), before)
  }

  #noteWord(word: string, before: readonly SqlToken[]): void {
    if (word === 'atomic' && before.at(-1)?.text.toLowerCase() === 'begin') this.#blocks += 1
    else if (this.#blocks > 0 && word === 'case') this.#blocks += 1
    else if (this.#blocks > 0 && word === 'end') this.#blocks -= 1
  }
}

function isRoutine(tokens: readonly SqlToken[]): boolean {
  const words = tokens.slice(0, 4).map(({ text }) => text.toLowerCase())
  return words[0] === 'create' && words.some((word) => word === 'function' || word === 'procedure')
}
