import fc from 'fast-check'
import { expect, it } from 'vitest'
import { noiseOf, quantile, ratiosOf, summarize } from '../../bench/measure/statistics.ts'

it('gives the median and the range of samples in any order', () => {
  expect(summarize([3, 1, 10])).toEqual({ median: 3, low: 1, high: 10 })
  expect(summarize([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 })
  expect(summarize([7])).toEqual({ median: 7, low: 7, high: 7 })
})

it('finds a quantile between two samples, and leaves the samples as they are', () => {
  const samples = [30, 10, 20]
  expect(quantile(samples, 0.75)).toBe(25)
  expect(samples).toEqual([30, 10, 20])
})

it('refuses to say anything about no samples', () => {
  expect(() => summarize([])).toThrow(new RangeError('there are no samples'))
})

it('takes each ratio inside one round, so that a slow round does not count', () => {
  expect(ratiosOf([100, 10, 90], [50, 5, 30])).toEqual([2, 2, 3])
  expect(ratiosOf([1, 2, 3], [1])).toEqual([1])
})

it('tells the noise as a part of the median', () => {
  expect(noiseOf({ median: 10, low: 9, high: 12 })).toBeCloseTo(0.2)
})

it('keeps the median inside the range, and every quantile between its neighbours', () => {
  const samples = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, part) => {
      const { median, low, high } = summarize(values)
      expect(low <= median && median <= high).toBe(true)
      const below = values.filter((value) => value < quantile(values, part)).length
      expect(below).toBeLessThanOrEqual(Math.ceil((values.length - 1) * part))
    }),
  )
})
