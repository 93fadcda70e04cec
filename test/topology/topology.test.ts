import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConnections } from '../../src/topology/connection-entry.ts'
import { formatShardRanges, parseShardRange, shardsOf, splitShardRange } from '../../src/topology/shard-range.ts'
import { shardIndexFor } from '../../src/topology/shard-for.ts'
import { Topology } from '../../src/topology/topology.ts'

function topologyOf(...shards: string[]): Topology {
  return new Topology(parseConnections(shards.map((range) => ({ shards: range }))))
}

describe('a shard range', () => {
  it('does not include its end', () => {
    expect(parseShardRange('1-9', 'x')).toEqual({ first: 1, end: 9 })
    expect(parseShardRange('0-8192', 'x')).toEqual({ first: 0, end: 8192 })
  })

  it.each([
    ['9-1', 'reversed'],
    ['5-5', 'empty'],
    ['1-8193', 'leaves 0 … 8191'],
    ['1', 'must look like'],
    ['', 'must look like'],
    ['1-', 'must look like'],
    ['-1-5', 'must look like'],
    ['1-2-3', 'must look like'],
    ['1–9', 'must look like'],
    [' 1-9', 'must look like'],
    ['1.5-9', 'must look like'],
    ['1-999999', 'must look like'],
  ])('%j is refused', (text, reason) => {
    expect(() => parseShardRange(text, 'connections[3].shards')).toThrow(RangeError)
    expect(() => parseShardRange(text, 'connections[3].shards')).toThrow(reason)
    expect(() => parseShardRange(text, 'connections[3].shards')).toThrow('connections[3].shards')
  })

  it.each([undefined, null, 5, ['1-9']])('%j is refused as no text', (value) => {
    expect(() => parseShardRange(value, 'x')).toThrow(TypeError)
  })

  it('is cut into parts that differ by at most one and leave nothing out', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8000 }),
        fc.integer({ min: 1, max: 192 }),
        fc.integer({ min: 1, max: 192 }),
        (first, count, parts) => {
          fc.pre(parts <= count)
          const cuts = splitShardRange({ first, end: first + count }, parts)
          expect(cuts.flatMap(shardsOf)).toEqual(shardsOf({ first, end: first + count }))
          const sizes = cuts.map((cut) => cut.end - cut.first)
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  it('cannot be cut into more parts than it has shards', () => {
    expect(() => splitShardRange({ first: 1, end: 3 }, 3)).toThrow(RangeError)
  })
})

describe('connections', () => {
  it('may come in any order and leave gaps', () => {
    const topology = topologyOf('9-17', '1-5')
    expect(topology.getServer(1).serverId).toBe('s2')
    expect(topology.getServer(16).serverId).toBe('s1')
    expect(topology.findServer(5)).toBeUndefined()
    expect(topology.findServer(17)).toBeUndefined()
    expect(topology.shardIds).toEqual([1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15, 16])
  })

  it('hand through to pg what they were given, untouched', () => {
    const password = (): string => 'x'
    const [server] = parseConnections([
      { shards: '1-9', id: 'a', host: 'h', password, ssl: { ca: 'c' }, application_name: 'n' },
    ])
    expect(server?.clientConfig).toEqual({ host: 'h', password, ssl: { ca: 'c' }, application_name: 'n' })
    expect(server?.serverId).toBe('a')
  })

  it('that overlap are refused, with every pair of entries named', () => {
    const open = (): Topology => topologyOf('1-9', '8-12', '20-30', '29-31')
    expect(open).toThrow(RangeError)
    expect(open).toThrow("connections[0] '1-9' and connections[1] '8-12' share '8-9'")
    expect(open).toThrow("connections[2] '20-30' and connections[3] '29-31' share '29-30'")
  })

  it('that meet do not overlap', () => {
    expect(topologyOf('1-9', '9-17').shardIds).toHaveLength(16)
  })

  it('with the same id twice are refused', () => {
    expect(() =>
      parseConnections([
        { shards: '1-2', id: 'a' },
        { shards: '2-3', id: 'a' },
      ]),
    ).toThrow("named 'a'")
  })

  it('with an id that is no name are refused', () => {
    expect(() => parseConnections([{ shards: '1-2', id: '' }])).toThrow('connections[0].id')
  })

  it.each([undefined, null, 'x', {}, []])('of %j are refused', (value) => {
    expect(() => parseConnections(value)).toThrow(/connections/)
  })

  it.each([null, 5, undefined])('with the entry %j are refused', (entry) => {
    expect(() => parseConnections([{ shards: '1-2' }, entry])).toThrow('connections[1]')
  })

  it('agree with a search through the ranges', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 8192 }), { minLength: 2, maxLength: 12 })
    fc.assert(
      fc.property(cuts, fc.integer({ min: 0, max: 8191 }), (points, shardId) => {
        const sorted = points.sort((a, b) => a - b)
        const ranges = sorted.slice(1).map((end, index) => ({ first: sorted[index] ?? 0, end }))
        const topology = topologyOf(...ranges.map(({ first, end }) => `${first}-${end}`))
        const expected = ranges.findIndex(({ first, end }) => first <= shardId && shardId < end)
        expect(topology.findServer(shardId)?.serverId).toBe(expected === -1 ? undefined : `s${expected + 1}`)
      }),
    )
  })
})

describe('a shard without a server', () => {
  it('is HV_SHARD_UNKNOWN', () => {
    const topology = topologyOf('1-5', '9-17')
    expect(() => topology.getServer(7)).toThrow(
      expect.objectContaining({ code: 'HV_SHARD_UNKNOWN', details: { shardId: 7 } }),
    )
    expect(() => topology.getServer(0)).toThrow(expect.objectContaining({ code: 'HV_SHARD_UNKNOWN' }))
    expect(() => topology.getServer(8191)).toThrow(expect.objectContaining({ code: 'HV_SHARD_UNKNOWN' }))
  })

  it.each([-1, 8192, 1.5, NaN, Infinity])('that cannot be one, %d, is a RangeError', (shardId) => {
    expect(() => topologyOf('1-5').getServer(shardId)).toThrow(RangeError)
  })

  it.each(['4', '5', undefined, 4n, [4]])('that is no number, %s, is a TypeError', (shardId) => {
    expect(() => topologyOf('1-5').getServer(shardId as never)).toThrow(TypeError)
  })
})

describe('shardFor', () => {
  // md5('AD') = e182ebbc166d7336…, md5('42') = a1d0c6e83f027327…, as `echo -n AD | md5sum` prints them
  it('takes the first 8 bytes of the md5 modulo the number of shards', () => {
    const topology = topologyOf('10-14', '100-103')
    const shards = [10, 11, 12, 13, 100, 101, 102]
    expect(topology.shardFor('AD')).toBe(shards[Number(BigInt('0xe182ebbc166d7336') % 7n)])
    expect(topology.shardFor('42')).toBe(shards[Number(BigInt('0xa1d0c6e83f027327') % 7n)])
    expect(topology.shardFor(42n)).toBe(topology.shardFor('42'))
  })

  it('gives a value the same shard each time, also after many others', () => {
    const topology = topologyOf('1-8')
    const values = Array.from({ length: 3_000 }, (_, n) => (n % 100 === 0 ? 'x'.repeat(n) : `value ${n}`))
    const expected = values.map((value) => (shardIndexFor(value, 7) % 7) + 1)
    expect(values.map((value) => topology.shardFor(value))).toEqual(expected)
    expect(values.map((value) => topology.shardFor(value))).toEqual(expected)
    expect(values.map((value) => topology.shardFor(value) + topology.shardFor(value))).toEqual(
      expected.map((id) => 2 * id),
    )
  })

  it.each([5, undefined, null])('refuses %s', (value) => {
    expect(() => topologyOf('1-5').shardFor(value as never)).toThrow(TypeError)
  })

  it('refuses a lone surrogate, which has no UTF-8', () => {
    expect(() => topologyOf('1-5').shardFor('\ud800')).toThrow(TypeError)
  })
})

describe('the text of shards', () => {
  it.each([
    [[1, 2, 3, 4, 5, 6, 7, 8], '1-9'],
    [[5], '5-6'],
    [[9, 1, 2, 12, 11], '1-3,9-10,11-13'],
    [[], ''],
  ])('%j is %j', (shardIds, text) => {
    expect(formatShardRanges(shardIds)).toBe(text)
  })
})
