import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchesOf, forEachLimited } from '../../src/entity/batches.ts'

describe('batches', () => {
  it('hold everything in order, within the bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 * 1024 * 1024 }), { maxLength: 50 }), (sizes) => {
        const batches = batchesOf(sizes, (size) => size)
        expect(batches.flat()).toEqual(sizes)
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0)
          if (batch.length > 1) expect(batch.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(4 * 1024 * 1024)
        }
      }),
    )
  })

  it('hold at most 5000 rows', () => {
    expect(batchesOf(Array.from({ length: 5_001 }), () => 0).map((batch) => batch.length)).toEqual([5_000, 1])
  })

  it('give what is too large a batch of its own', () => {
    expect(batchesOf([1, 9_000_000, 1], (size) => size)).toEqual([[1], [9_000_000], [1]])
  })
})

describe('limited work', () => {
  it('is at most so much at once, and all of it', async () => {
    let [now, most, done] = [0, 0, 0]
    await forEachLimited(Array.from({ length: 20 }), 3, async () => {
      most = Math.max(most, (now += 1))
      await Promise.resolve()
      now -= 1
      done += 1
    })
    expect([most, done]).toEqual([3, 20])
  })

  it('begins nothing after a failure, and waits for what has begun', async () => {
    const begun: number[] = []
    let isOtherDone = false
    const work = forEachLimited([1, 2, 3, 4], 2, async (n) => {
      begun.push(n)
      if (n === 1) throw new Error('first')
      await new Promise((resolve) => setImmediate(resolve))
      isOtherDone = true
    })
    await expect(work).rejects.toThrow('first')
    expect(begun).toEqual([1, 2])
    expect(isOtherDone).toBe(true)
  })
})
