import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Batch } from '../../src/entity/load/batch.ts'
import { ProgressMeter } from '../../src/entity/load/progress-meter.ts'
import { splitHstore } from '../../src/hstore/encode-binary.ts'
import type { Body } from '../../src/hstore/body.ts'
import { arbitraryBody } from '../hstore/arbitrary-body.ts'

/** A row as COPY reads it. */
interface CopyRow {
  readonly id: bigint
  readonly kind: number
  readonly body: string
}

/** Reads what COPY is sent, as the manual of PostgreSQL describes it; throws for anything else. */
function readCopy(bytes: Buffer): CopyRow[] {
  expect(bytes.subarray(0, 19).toString('latin1')).toBe('PGCOPY\n\xff\r\n\0' + '\0'.repeat(8))
  const rows: CopyRow[] = []
  let at = 19
  for (; bytes.readInt16BE(at) === 3;) {
    expect([bytes.readInt32BE(at + 2), bytes.readInt32BE(at + 14)]).toEqual([8, 2])
    const end = at + 24 + bytes.readInt32BE(at + 20)
    const body = bytes.subarray(at + 24, end).toString('hex')
    rows.push({ id: bytes.readBigInt64BE(at + 6), kind: bytes.readInt16BE(at + 18), body })
    at = end
  }
  expect([bytes.readInt16BE(at), bytes.length]).toEqual([-1, at + 2])
  return rows
}

const binaryOf = (body: Body): string => Buffer.concat([...splitHstore(body).pieces]).toString('hex')

/** Bodies of all sizes, many of them near those of the pieces of memory. */
const arbitrarySizedBody: fc.Arbitrary<Body> = fc.oneof(
  { arbitrary: arbitraryBody, weight: 5 },
  { arbitrary: fc.integer({ min: 200, max: 1_100 }).map((size) => ({ text: 'x'.repeat(size) })), weight: 5 },
  { arbitrary: fc.integer({ min: 80_000, max: 270_000 }).map((size) => ({ text: 'x'.repeat(size) })), weight: 1 },
)

describe('a batch', () => {
  it('is sent as COPY wants it, with each id in its row', () => {
    fc.assert(
      fc.property(fc.array(arbitrarySizedBody, { minLength: 1, maxLength: 60, size: 'max' }), (bodies) => {
        const batch = new Batch()
        bodies.forEach((body, row) => batch.append(row, row - 20, body))
        batch.setIds(bodies.map((_, row) => -5n + BigInt(row)))
        const stream = batch.stream()
        const rows = bodies.map((body, row) => ({ id: BigInt(row) - 5n, kind: row - 20, body: binaryOf(body) }))
        expect(readCopy(Buffer.concat(stream))).toEqual(rows)
        expect(batch.bytes).toBe(Buffer.concat(stream).length - 21)
        expect(batch.memory).toBeGreaterThanOrEqual(batch.bytes)
      }),
      { numRuns: 150 },
    )
  })

  it('has room for its end behind a row of any size', () => {
    for (let size = 900; size < 1_024; size += 1) {
      const batch = new Batch()
      batch.append(0, 1, { text: 'é'.repeat(size / 2), end: 'x' })
      batch.append(1, 1, { n: 'x'.repeat(size % 40) })
      batch.setIds([1n, 2n])
      expect(readCopy(Buffer.concat(batch.stream()))).toHaveLength(2)
    }
  })

  it('is left as it was by a body that is refused, and can be sent again with other ids', () => {
    const batch = new Batch()
    batch.append(4, 1, { a: 'x' })
    const before = [batch.bytes, batch.memory]
    for (const bad of [{ a: 5 }, { text: 'x'.repeat(300_000), a: '\0' }]) {
      expect(() => batch.append(5, 1, bad as never)).toThrow('body.a')
    }
    expect([batch.bytes, batch.memory, batch.rows]).toEqual([...before, [4]])
    batch.setIds([1n])
    batch.setIds([2n])
    expect(readCopy(Buffer.concat(batch.stream()))).toEqual([{ id: 2n, kind: 1, body: binaryOf({ a: 'x' }) }])
    expect(() => batch.setIds([1n, 2n])).toThrow('bug: 2 ids for 1 rows')
  })

  it('goes on without a row as batches of the others, in their order', () => {
    const arbitraryBodies = fc.array(arbitrarySizedBody, { minLength: 1, maxLength: 40, size: 'max' })
    fc.assert(
      fc.property(arbitraryBodies, fc.nat(), (some, seed) => {
        const bodies = Array.from({ length: 8 }, () => some).flat()
        const row = seed % bodies.length
        const batch = new Batch()
        bodies.forEach((body, index) => batch.append(index + 10, 3, body))
        const { body, rest } = batch.without(row + 10)
        expect(body).toEqual(bodies[row])
        rest.forEach((each) => each.setIds(each.rows.map((place) => BigInt(place))))
        const rows = rest.flatMap((each) => readCopy(Buffer.concat(each.stream())))
        const others = bodies.map((body, index) => ({ id: BigInt(index + 10), kind: 3, body: binaryOf(body) }))
        expect(rows).toEqual(others.toSpliced(row, 1))
        expect(rest.map((each) => each.rows).flat()).toEqual(others.toSpliced(row, 1).map(({ id }) => Number(id)))
      }),
      { numRuns: 30 },
    )
  })

  it('of few small rows takes little memory', () => {
    const batch = new Batch()
    batch.append(0, 1, { n: '1' })
    expect(batch.memory).toBeLessThan(2_048)
  })
})

describe('the progress of a load', () => {
  it('is not told each time, but the last time', () => {
    const told: number[] = []
    const meter = new ProgressMeter(({ rowsRead }) => told.push(rowsRead))
    for (let row = 1; row <= 5_000; row += 1) meter.report(meter.read({ rowsRead: row, rowsDone: 0 }, 0), row === 5_000)
    expect(told[0]).toBe(1)
    expect(told.at(-1)).toBe(5_000)
    expect(told.length).toBeLessThan(5_000)
  })

  it('of a load that is not begun is nothing', () => {
    const none = {
      rowsRead: 0,
      rowsDone: 0,
      bufferedBytes: 0,
      rows: 0,
      bytes: 0,
      batches: 0,
      elapsedMs: 0,
      ratePerSecond: 0,
    }
    expect(new ProgressMeter(undefined).read({ rowsRead: 0, rowsDone: 0 }, 0)).toEqual(none)
  })
})
