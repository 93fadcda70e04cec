import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from '../../src/entity/scan/cursor.ts'
import { PlaceHeap } from '../../src/entity/scan/place-heap.ts'
import { decideReadSize } from '../../src/entity/scan/read-size.ts'
import { ShardGroup } from '../../src/entity/scan/shard-group.ts'

const WHOLE = { first: 0n, last: 2n ** 64n - 1n }
const place = fc.bigInt({ min: 0n, max: WHOLE.last })

describe('a cursor', () => {
  const shapeHash = Buffer.alloc(6, 7)
  const shardIds = fc
    .uniqueArray(fc.integer({ min: 0, max: 8191 }), { minLength: 1, maxLength: 50 })
    .map((ids) => ids.sort((a, b) => a - b))

  it('gives back every position', () => {
    const position = fc.record({
      after: fc.option(place, { nil: undefined }),
      missing: fc.array(fc.record({ shardIds, from: place }), { maxLength: 5 }),
    })
    fc.assert(
      fc.property(position, (each) => {
        expect(decodeCursor(encodeCursor(each, shapeHash), shapeHash)).toEqual(each)
      }),
    )
  })

  it('stays short when a server with thousands of shards is missing', () => {
    const missing = [{ shardIds: Array.from({ length: 4_096 }, (_, n) => n + 1), from: 5n }]
    expect(encodeCursor({ after: 7n, missing }, shapeHash).length).toBeLessThan(60)
  })
})

it('a heap gives its items by their places, also when those grow', () => {
  fc.assert(
    fc.property(fc.array(fc.array(place, { minLength: 1, maxLength: 5 }), { maxLength: 30 }), (lists) => {
      const heap = new PlaceHeap<bigint[]>()
      const compare = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b))
      for (const list of lists) heap.push([...list].sort(compare), [...list].sort(compare)[0]!)
      const given: bigint[] = []
      for (let top = heap.top; top !== undefined; top = heap.top) {
        given.push(top.item.shift()!)
        if (top.item.length === 0) heap.removeTop()
        else heap.raiseTop(top.item[0]!)
      }
      expect(given).toEqual(lists.flat().sort(compare))
    }),
  )
})

describe('the size of a read', () => {
  const limits = { maxRows: 2_048, maxLength: 1_000_000 }

  it('grows while bodies are small, up to a bound', () => {
    expect(decideReadSize({ wanted: 128, rows: 128, length: 12_800 }, limits)).toBe(1_024)
    expect(decideReadSize({ wanted: 1_024, rows: 1_024, length: 102_400 }, limits)).toBe(2_048)
  })

  it('shrinks when bodies are large, down to one', () => {
    expect(decideReadSize({ wanted: 128, rows: 128, length: 12_800_000 }, limits)).toBe(8)
    expect(decideReadSize({ wanted: 8, rows: 1, length: 50_000_000 }, limits)).toBe(1)
  })

  it('after a read of nothing is as large as it may be', () => {
    expect(decideReadSize({ wanted: 2_048, rows: 0, length: 0 }, limits)).toBe(2_048)
  })
})

describe('a group whose reads take too long', () => {
  /** Reads all of it, as if a read of more ids than `most` took too long; gives the runs that were read. */
  function runsOf(isAscending: boolean, most: bigint): { first: bigint; last: bigint }[] {
    const group = new ShardGroup([1], WHOLE, isAscending)
    const runs: { first: bigint; last: bigint }[] = []
    while (!group.isRead) {
      const { run } = group
      if (run.last - run.first > most) {
        expect(group.tryNarrow()).toBe(true)
      } else {
        runs.push(run)
        group.add([], 10)
      }
    }
    return runs
  }

  it.each([true, false])('reads smaller stretches, which meet without a gap (ascending: %s)', (isAscending) => {
    const runs = runsOf(isAscending, 2n ** 58n)
    expect(runs.length).toBeGreaterThan(60)
    const ordered = isAscending ? runs : [...runs].reverse()
    const unsigned = ordered.map(({ first, last }) => [BigInt.asUintN(64, first), BigInt.asUintN(64, last)] as const)
    expect(unsigned[0]?.[0]).toBe(0n)
    expect(unsigned.at(-1)?.[1]).toBe(WHOLE.last)
    unsigned.slice(1).forEach(([first], at) => expect(first).toBe(unsigned[at]![1] + 1n))
  })

  it('gives up when smaller stretches do not help', () => {
    const group = new ShardGroup([1], WHOLE, true)
    const tries = Array.from({ length: 8 }, () => group.tryNarrow())
    expect(tries).toEqual([true, true, true, true, true, true, false, false])
  })
})
