import { tokensOf, type SqlToken, type UnendedMode } from './tokens.ts'

/*
 * Where one statement of SQL ends and the next one begins. A semicolon ends a statement unless it stands in a text, a
 * quoted name, a comment, a dollar quote, parentheses, or the body of a routine in SQL's own form (`begin atomic … end`).
 * These are the rules that psql goes by; the server itself never tells.
 */

/** One statement, from its first token to its last, without the semicolon. */
export interface SqlStatement {
  readonly text: string
  readonly tokens: readonly SqlToken[]
}

/** Cuts SQL into statements; what holds nothing but comments is none. Throws what {@link tokensOf} throws. */
export function splitStatements(sql: string, unended?: UnendedMode): SqlStatement[] {
  const statements: SqlStatement[] = []
  const tokens: SqlToken[] = []
  const nesting = new Nesting()
  for (const token of tokensOf(sql, unended)) {
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
