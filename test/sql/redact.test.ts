import { describe, expect, it } from 'vitest'
import { redactSql } from '../../src/sql/redact.ts'

describe('a statement in the log', () => {
  it.each([
    [`select 1`, `select ?`],
    [`select * from shard0005.entities where id = $1`, `select * from shard0005.entities where id = $1`],
    [`alter role x password 'se''cret'`, `alter role x password ?`],
    [`select E'it\\'s secret', 'next'`, `select ?, ?`],
    [`select $$secret$$, $tag$ $$secret$$ $tag$`, `select ?, ?`],
    [`select 'never closed secret`, `select ?`],
    [`select $$never closed secret`, `select ?`],
    [`select "a 'name'" from t2 -- secret\nwhere x=1.5e3`, `select "a 'name'" from t2 where x=?`],
    [`select /* secret 'x */ 2 /* unclosed secret`, `select ?`],
    [`select /* a /* nested */ secret */ 2 + a`, `select ? + a`],
    [`select /* a /* nested */ secret /*/ ' */ secret */ 2 + a`, `select ? + a`],
    [`select /* a /* nested, but unclosed */ secret`, `select`],
    [`select 1 -- /* no begin\n+ a`, `select ? + a`],
    [`select /*/ secret */ 2 /**/ + a`, `select ? + a`],
    [`select U&'\\0441'`, `select ?`],
    [`select -5, .5, 0xFF, 1_000`, `select -?, ?, ?, ?`],
    [`select a1b2, имя3`, `select a1b2, имя3`],
  ])('%s', (sql, expected) => {
    expect(redactSql(sql)).toBe(expected)
  })

  it('is redacted in one pass, however long it is', () => {
    expect(redactSql(`select '${"a''".repeat(100_000)}'`)).toBe('select ?')
    expect(redactSql('/*'.repeat(200_000))).toBe('')
    expect(redactSql('('.repeat(200_000))).toHaveLength(200_000)
  })
})
