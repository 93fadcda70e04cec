import { expect, it } from 'vitest'
import { Key, sql } from '../../src/index.ts'

function both({ text, values }: { text: string; values: unknown[] }): [string, unknown[]] {
  return [text, values]
}

it('values become parameters, and names are quoted', () => {
  const id = 7n
  expect(both(sql`select * from ${sql.id('photos')} where id = ${id} and owner = ${'Ana'}`)).toEqual([
    'select * from "photos" where id = $1 and owner = $2',
    [7n, 'Ana'],
  ])
})

it('fragments are parts of others, and their parameters are counted through', () => {
  const isNew = sql`seen < ${5}`
  const filter = (isWanted: boolean) => (isWanted ? sql`where ${isNew} and ${isNew}` : sql``)
  expect(both(sql`select ${1} from t ${filter(true)} limit ${9}`)).toEqual([
    'select $1 from t where seen < $2 and seen < $3 limit $4',
    [1, 5, 5, 9],
  ])
  expect(sql`select 1 ${filter(false)}`.text).toBe('select 1 ')
})

it('lists are joined by a comma, or by a fragment', () => {
  const rows = [
    [1, 'a'],
    [2, 'b'],
  ].map((row) => sql`(${sql.join(row)})`)
  expect(both(sql`insert into t values ${sql.join(rows)}`)).toEqual([
    'insert into t values ($1, $2), ($3, $4)',
    [1, 'a', 2, 'b'],
  ])
  expect(sql.join([sql`a`, sql`b`], sql` and `).text).toBe('a and b')
  expect(sql`order by ${sql.join(['x', 'y'].map((name) => sql.id(name)))}`.text).toBe('order by "x", "y"')
})

it('names with a schema, and names that need quotes', () => {
  expect(sql.id('shard0005', 'photos').text).toBe('"shard0005"."photos"')
  expect(sql.id('a"; drop table users; --').text).toBe('"a""; drop table users; --"')
})

it('what would merge into something else stays apart', () => {
  expect(sql`limit ${1}0`.text).toBe('limit $1 0')
  expect(sql`select ${sql.id('a')}${sql.id('b')}`.text).toBe('select "a" "b"')
  expect(sql`select 1 -${sql`-1`}`.text).toBe('select 1 - -1')
  expect(sql`select ${1}::int, ${sql`a`}.b`.text).toBe('select $1::int, a.b')
})

it.each<[string, () => unknown, string]>([
  ['a call with a text', () => sql('drop table users' as never), 'sql is a tag for templates'],
  ['an array that came as JSON', () => sql(Object.assign(['x'], { raw: ['x'] })), 'sql is a tag for templates'],
  ['a value that is undefined', () => sql`select ${undefined}`, 'insert 1 of the sql template must be a value'],
  ['a function', () => sql`select ${() => 1}`, 'got function'],
  ['undefined in a list', () => sql.join([1, undefined]), 'item 2 of the sql template must be a value'],
  ['an empty list', () => sql.join([]), 'sql.join takes at least one item'],
  ['a separator that is a text', () => sql.join([1], ', ' as never), 'must be made by sql'],
  ['no name', () => sql.id(), 'sql.id takes at least one name'],
  ['an empty name', () => sql.id(''), 'must have 1 to 63 bytes, got 0'],
  ['a name that the server would cut', () => sql.id('é'.repeat(32)), 'must have 1 to 63 bytes, got 64'],
  ['a name with a NUL', () => sql.id('a\0b'), 'NUL'],
  ['a name that is no text', () => sql.id(5 as never), 'a name must be a string, got number'],
])('refuses %s', (_what, make, message) => {
  expect(make).toThrow(message)
})

it('a key is its id', () => {
  const key = new Key(307821103844175873n)
  expect(key.toPostgres()).toBe('307821103844175873')
  expect(sql`${key}`.values).toEqual([key])
})
