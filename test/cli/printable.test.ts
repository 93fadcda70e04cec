import { expect, test } from 'vitest'
import { printable } from '../../src/cli/terminal/printable.ts'

test('null and the text null stay apart', () => {
  expect([printable(null), printable('null')]).toEqual(['null', '"null"'])
})

test('nothing that is printed moves the cursor or turns the text around', () => {
  expect(printable('\u001b[2J\u009b\u007f\n\u202e"')).toBe('"\\u001b[2J\\u009b\\u007f\\n\\u202e\\""')
})
