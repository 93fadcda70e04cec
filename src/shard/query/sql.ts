import { escapeIdentifier, type QueryResult, type QueryResultRow } from 'pg'
import { describeType } from '../../arguments/arguments.ts'

/*
 * SQL that cannot be injected into: a text comes only out of a template in the program; whatever is put into one becomes a
 * parameter, unless it was made here, by `sql`, `sql.id` or `sql.join`. There is no way to make SQL of a string.
 */

/** A piece of a statement: text of the program, a quoted name, or a value. */
type Piece = { readonly text: string } | { readonly value: unknown }

/** Most bytes of a name; PostgreSQL cuts longer ones off without a word, and would then mean another table. */
const MAX_NAME_BYTES = 63

/**
 * A statement, or a part of one, with the values that belong to it. It is what `query()` of `pg`, of a transaction and of
 * a shard takes; in another template it becomes a part of that.
 */
export class SqlFragment {
  readonly #pieces: readonly Piece[]

  /** @internal Made by {@link sql} only. */
  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
  }

  /** With `$1`, `$2`, … in the place of the values. */
  get text(): string {
    let count = 0
    const texts = this.#pieces.map((piece) => ('text' in piece ? piece.text : `$${(count += 1)}`))
    return texts.reduce(joinTexts, '')
  }

  get values(): unknown[] {
    return this.#pieces.flatMap((piece) => ('text' in piece ? [] : [piece.value]))
  }

  /** @internal The pieces, for a larger statement. */
  static piecesOf(fragment: SqlFragment): readonly Piece[] {
    return fragment.#pieces
  }
}

/** Pairs of characters that would mean something else side by side: `$1` and `0`, two names in a row, two minuses. */
const MERGING = /^(?:[\w$\u0080-\uffff]{2}|""|''|--|\/\*)$/

function joinTexts(left: string, right: string): string {
  return MERGING.test(left.slice(-1) + right.slice(0, 1)) ? `${left} ${right}` : left + right
}

/** Makes {@link SqlFragment}s of templates. */
export interface Sql {
  /** What is put into the template becomes a value, but for fragments. Undefined, functions and symbols are a TypeError. */
  (strings: TemplateStringsArray, ...inserts: readonly unknown[]): SqlFragment
  /** A quoted name; several, such as a schema and a table, are joined by dots. RangeError for more than 63 bytes. */
  id(...names: readonly string[]): SqlFragment
  /** Values or fragments with something between them, a comma by default. TypeError for none: SQL has no empty list. */
  join(items: Iterable<unknown>, separator?: SqlFragment): SqlFragment
}

/**
 * Makes a statement of a template. Values become parameters; names are given by `sql.id`, lists by `sql.join`, and
 * fragments can be put into each other.
 *
 * @example sql`select * from ${sql.id('photos')} where id in (${sql.join(ids)}) ${isNew ? sql`and not seen` : sql``}`
 */
export const sql: Sql = Object.assign(
  (strings: TemplateStringsArray, ...inserts: readonly unknown[]) => new SqlFragment(readTemplate(strings, inserts)),
  { id, join },
)

/** The pieces of a template. */
export function readTemplate(strings: TemplateStringsArray, inserts: readonly unknown[]): Piece[] {
  assertTemplate(strings)
  return strings.flatMap((text, index) => [
    ...(index === 0 ? [] : toPieces(inserts[index - 1], `insert ${index}`)),
    ...(text === '' ? [] : [{ text }]),
  ])
}

function id(...names: readonly string[]): SqlFragment {
  if (names.length === 0) throw new TypeError('sql.id takes at least one name')
  return new SqlFragment([{ text: names.map(quoteName).join('.') }])
}

function join(items: Iterable<unknown>, separator: SqlFragment = sql`, `): SqlFragment {
  if (!(separator instanceof SqlFragment)) throw new TypeError('the separator of sql.join must be made by sql')
  const lists = Array.from(items, (item, index) => toPieces(item, `item ${index + 1}`))
  if (lists.length === 0) throw new TypeError('sql.join takes at least one item')
  const between = SqlFragment.piecesOf(separator)
  return new SqlFragment(lists.flatMap((pieces, index) => (index === 0 ? pieces : [...between, ...pieces])))
}

function quoteName(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError(`a name must be a string, got ${describeType(name)}`)
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > MAX_NAME_BYTES) {
    throw new RangeError(`a name must have 1 to ${MAX_NAME_BYTES} bytes, got ${bytes}`)
  }
  if (name.includes('\0')) throw new RangeError('a name must not contain a NUL character')
  return escapeIdentifier(name)
}

function toPieces(insert: unknown, place: string): readonly Piece[] {
  if (insert instanceof SqlFragment) return SqlFragment.piecesOf(insert)
  if (insert === undefined || typeof insert === 'function' || typeof insert === 'symbol') {
    throw new TypeError(`${place} of the sql template must be a value or a fragment, got ${describeType(insert)}`)
  }
  return [{ value: insert }]
}

/** An array that somebody sends as JSON is none. */
function assertTemplate(strings: unknown): asserts strings is TemplateStringsArray {
  const { raw } = Object(strings) as { raw?: unknown }
  if (Array.isArray(strings) && Array.isArray(raw) && Object.isFrozen(strings)) return
  throw new TypeError('sql is a tag for templates: sql`select …`')
}

/** A statement of a shard that runs when it is awaited, once, however often that is. */
export class SqlQuery<R extends QueryResultRow> extends SqlFragment implements PromiseLike<QueryResult<R>> {
  readonly #run: (fragment: SqlFragment) => Promise<QueryResult<R>>
  #result: Promise<QueryResult<R>> | undefined

  /** @internal Made by `sql` of a shard only. */
  constructor(pieces: readonly Piece[], run: (fragment: SqlFragment) => Promise<QueryResult<R>>) {
    super(pieces)
    this.#run = run
  }

  then<T = QueryResult<R>, E = never>(
    onFulfilled?: ((result: QueryResult<R>) => T | PromiseLike<T>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    this.#result ??= this.#run(this)
    return this.#result.then(onFulfilled, onRejected)
  }
}

/** `sql` of a shard: its statements run there when they are awaited. */
export interface ShardSql extends Pick<Sql, 'id' | 'join'> {
  <R extends QueryResultRow = QueryResultRow>(
    strings: TemplateStringsArray,
    ...inserts: readonly unknown[]
  ): SqlQuery<R>
}

/** Binds `sql` to a shard. */
export function bindSql(run: (fragment: SqlFragment) => Promise<QueryResult>): ShardSql {
  const bound = <R extends QueryResultRow>(strings: TemplateStringsArray, ...inserts: readonly unknown[]) =>
    new SqlQuery<R>(readTemplate(strings, inserts), run as (fragment: SqlFragment) => Promise<QueryResult<R>>)
  return Object.assign(bound, { id, join })
}
