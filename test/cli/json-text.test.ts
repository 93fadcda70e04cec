import { expect, test } from 'vitest'
import { parseJsonText } from '../../src/cli/terminal/json-text.ts'

test('JSON is read, with or without a byte order mark', () => {
  expect(parseJsonText('\uFEFF{"a":[1]}')).toEqual({ a: [1] })
})

test('malformed JSON is refused with the place, and never shown', () => {
  const text = '{\n  "password": "hunter2"\n  "host": "db"\n}'
  expect(() => parseJsonText(text)).toThrow('it is not JSON: see line 3, column 3')
})

test.each(['', '{"password":"hunter2"', 'hunter2', "{'password':'hunter2'}"])(
  '%j is refused without showing it',
  (text) => {
    const refusal = ((): string => {
      try {
        return JSON.stringify(parseJsonText(text))
      } catch (error) {
        return String(error)
      }
    })()
    expect(refusal).toMatch(/^SyntaxError: it is not JSON/)
    expect(refusal).not.toContain('hunter')
  },
)
