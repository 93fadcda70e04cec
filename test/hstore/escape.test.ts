import { expect, test } from 'vitest'
import { escapeText, unescapeText } from '../../src/hstore/escape.ts'

test.each([0, 1, 2, 3])(
  'text of many pieces that starts with %i other characters is escaped and unescaped',
  (count) => {
    const text = 'x'.repeat(count) + '\\"'.repeat(100_000) + '\\'.repeat(100_001)
    const escaped = 'x'.repeat(count) + '\\\\\\"'.repeat(100_000) + '\\\\'.repeat(100_001)
    expect(escapeText(text) === escaped).toBe(true)
    expect(unescapeText(escaped) === text).toBe(true)
  },
)

test('pairs of surrogates at the edge of a piece stay together', () => {
  const text = `x${'🏔'.repeat(100_000)}"`
  expect(escapeText(text) === `x${'🏔'.repeat(100_000)}\\"`).toBe(true)
})

test('as many quotes as would end the process in one replacement are escaped', () => {
  const escaped = escapeText('"'.repeat(40_000_000))
  expect(escaped).toHaveLength(80_000_000)
  expect(unescapeText(escaped)).toHaveLength(40_000_000)
})
