import { describe, expect, it } from 'vitest'
import { parseTimestamp } from '../../src/entity/rows/timestamp.ts'

describe('a timestamp of a server', () => {
  it.each([
    ['2014-11-15 14:11:06', '2014-11-15T14:11:06.000Z'],
    ['2014-11-15 14:11:06.4', '2014-11-15T14:11:06.400Z'],
    ['2014-11-15 14:11:06.450999', '2014-11-15T14:11:06.450Z'],
    ['2014-11-15 14:11:06.999999', '2014-11-15T14:11:06.999Z'],
  ])('%s is UTC', (text, expected) => {
    expect(parseTimestamp(text).toISOString()).toBe(expected)
  })

  it('that is infinite is an invalid date', () => {
    expect(parseTimestamp('infinity').getTime()).toBeNaN()
  })
})
