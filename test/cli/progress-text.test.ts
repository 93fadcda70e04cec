import { describe, expect, test } from 'vitest'
import { describeProgress, describeSeconds, drawBar } from '../../src/cli/terminal/progress-text.ts'

describe('progress', () => {
  test('tells count, rate and time left', () => {
    expect(describeProgress({ done: 90, total: 1320, elapsedMs: 2000 }, 'shards')).toBe(
      '90 of 1,320 shards, 45/s, 28 s left',
    )
  })

  test('tells a slow rate with a decimal', () => {
    expect(describeProgress({ done: 3, total: 4, elapsedMs: 2000 }, 'shards')).toBe('3 of 4 shards, 1.5/s, 1 s left')
  })

  test('tells no rate before there is one, and no time left at the end', () => {
    expect(describeProgress({ done: 0, total: 4, elapsedMs: 9000 }, 'shards')).toBe('0 of 4 shards')
    expect(describeProgress({ done: 1, total: 4, elapsedMs: 100 }, 'shards')).toBe('1 of 4 shards')
    expect(describeProgress({ done: 40, total: 40, elapsedMs: 1000 }, 'shards')).toBe('40 of 40 shards, 40/s')
  })

  test('is drawn as a bar of one width, full only at the end', () => {
    expect(drawBar({ done: 0, total: 10, elapsedMs: 0 })).toBe('░'.repeat(28))
    expect(drawBar({ done: 5, total: 10, elapsedMs: 0 })).toBe('█'.repeat(14) + '░'.repeat(14))
    expect(drawBar({ done: 9999, total: 10_000, elapsedMs: 0 })).toBe('█'.repeat(27) + '░')
    expect(drawBar({ done: 0, total: 0, elapsedMs: 0 })).toBe('█'.repeat(28))
  })
})

test.each([
  [0.2, '1 s'],
  [59.5, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
])('%d seconds are written %s', (seconds, text) => {
  expect(describeSeconds(seconds)).toBe(text)
})
