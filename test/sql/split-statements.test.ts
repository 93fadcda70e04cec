import fc from 'fast-check'
import type { QueryConfig } from 'pg'
import { describe, expect, it } from 'vitest'
import { splitStatements } from '../../src/sql/split-statements.ts'
import { tokensOf } from '../../src/sql/tokens.ts'
import { createDatabases } from '../support/databases.ts'
import { withClient } from '../schema/servers.ts'

/** Statements that hold every kind of semicolon that ends nothing. All of them can be run again and again. */
const statements = [
  'select 1',
  `select ';', 'it''s; so', E'\\';', e'\\\\', U&'d\\0061t;a', B'1', N'x;'`,
  'select "a;b" from (select 1 as "a;b") as "x;""y"',
  'select $$ ; $$, $tag$ ; $$ ; $tag$, $Ünï$;$Ünï$',
  'select 1 /* ; /* nested ; */ still ; */ + 1',
  'select 1 -- ; to the end\n + 1',
  'do $$ begin perform 1; if true then perform 2; end if; end $$',
  'create or replace function pg_temp.f(a int) returns int begin atomic select case when a > 0 then 1 end; end',
  'create or replace function pg_temp.g() returns text language sql as $f$ select $$;$$; $f$',
  'create or replace procedure pg_temp.p() begin atomic select 1; select case 1 when 1 then 2 else 3 end; end',
  'drop table if exists hv_rules',
  'create temporary table if not exists t (a$b$ int, c int check (c > 0))',
  'create or replace rule r as on insert to t do also (select 1; select 2)',
  'select 1.5e3, .5, 1.',
  `select a$b$, 'x' from t`,
]

const separators = [';', ';\n', ' ; ', ';;', '; -- a comment;\n', '; /* another; */ ']

describe('the splitting of SQL', () => {
  it('gives back the statements that a text was put together from', () => {
    const part = fc.tuple(fc.constantFrom(...statements), fc.constantFrom(...separators))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.constantFrom('', '\n', ' -- end'), (parts, end) => {
        const sql = parts.map(([statement, separator]) => statement + separator).join('') + end
        expect(splitStatements(sql).map(({ text }) => text)).toEqual(parts.map(([statement]) => statement))
      }),
    )
  })

  it('loses nothing: between two tokens there is only space and comments', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...statements, ...separators), { maxLength: 8 }), (parts) => {
        const sql = parts.join('\n')
        let end = 0
        for (const token of tokensOf(sql)) {
          expect(sql.slice(end, token.start)).toMatch(/^(?:\s|--[^\n]*\n?|\/\*[^]*\*\/)*$/)
          expect(sql.slice(token.start, token.end)).toBe(token.text)
          end = token.end
        }
      }),
    )
  })

  it('agrees with the server on what one statement is', async () => {
    await using databases = await createDatabases(1)
    await withClient(databases.connections[0], async (client) => {
      await client.query('create temporary table t (a$b$ int, c int)')
      const pieces = splitStatements(statements.join(';\n'))
      expect(pieces).toHaveLength(statements.length)
      // The extended protocol takes one statement, and refuses two.
      for (const { text } of pieces) await client.query({ text, queryMode: 'extended' } as QueryConfig)
    })
  })

  it.each([
    [`select 'a`, 'line 1'],
    ['select 1;\nselect "a', 'line 2'],
    ['select 1 /* a /* b */', 'line 1'],
    ['\n\ndo $x$ begin $y$', 'line 3'],
  ])('refuses %j, which has no end', (sql, where) => {
    expect(() => splitStatements(sql)).toThrow(new RegExp(`^${where}: .* has no end$`))
  })

  it('finds no statement in comments', () => {
    expect(splitStatements(' -- nothing;\n/* ; */ ;; ')).toEqual([])
  })
})
