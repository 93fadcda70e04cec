import { describe, expect, it } from 'vitest'
import { Pace } from '../../src/fleet/move/pace.ts'

describe('the pace of a copy', () => {
  it('is never above the limit, whatever the sizes and the delays in between', () => {
    const pace = new Pace(1_000, 0)
    let now = 0
    let bytes = 0
    for (const [size, lateMs] of [
      [100, 0],
      [1, 3],
      [1_000, 0],
      [2, 0],
      [500, 250],
      [64, 10_000],
      [700, 0],
      [900, 1],
    ] as const) {
      now += lateMs
      now += pace.delayOf(size, now)
      bytes += size
      expect(bytes).toBeLessThanOrEqual(now + 5)
    }
  })

  it('makes up for a short delay, and not for a long one', () => {
    const pace = new Pace(1_000, 0)
    expect(pace.delayOf(100, 0)).toBe(100)
    expect(pace.delayOf(100, 150)).toBe(50)
    expect(pace.delayOf(200, 10_000)).toBe(100)
  })
})
