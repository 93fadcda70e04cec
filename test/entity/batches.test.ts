import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchesOf, chunksOf } from '../../src/entity/rows/batches.ts'

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

describe('chunks', () => {
  it('hold everything in order, each with the place of its first item', () => {
    expect([...chunksOf(['a', 'b', 'c', 'd', 'e'], 2)]).toEqual([
      { at: 0, items: ['a', 'b'] },
      { at: 2, items: ['c', 'd'] },
      { at: 4, items: ['e'] },
    ])
    expect([...chunksOf([], 2)]).toEqual([])
  })
})
