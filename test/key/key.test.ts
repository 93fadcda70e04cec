import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Key } from '../../src/key/key.ts'
import { shardSchema } from '../../src/key/shard-id.ts'

/** Ids put together by hand from the layout: 41 bits of milliseconds, 13 of shard, 10 of sequence. */
const vectors = [
  {
    name: 'the example of the original',
    id: 307821103844175873n,
    created: '2014-11-15T14:11:06.450Z',
    shardId: 12,
    addedId: 1,
  },
  {
    name: 'the smallest time, shard and sequence',
    id: 0n,
    created: '2013-09-16T21:05:31.352Z',
    shardId: 0,
    addedId: 0,
  },
  { name: 'sequence alone', id: 1023n, created: '2013-09-16T21:05:31.352Z', shardId: 0, addedId: 1023 },
  // 8191 * 1024 = 8387584
  { name: 'the largest shard alone', id: 8387584n, created: '2013-09-16T21:05:31.352Z', shardId: 8191, addedId: 0 },
  // 2^23 = 8388608 is one millisecond
  { name: 'one millisecond', id: 8388608n, created: '2013-09-16T21:05:31.353Z', shardId: 0, addedId: 0 },
  // 1000 ms * 8388608 + 5 * 1024 + 7 = 8388613127
  {
    name: 'a second, shard 5, sequence 7',
    id: 8388613127n,
    created: '2013-09-16T21:05:32.352Z',
    shardId: 5,
    addedId: 7,
  },
  // 2^40 - 1 ms after the epoch, every bit below the sign set
  {
    name: 'the largest positive id',
    id: 9223372036854775807n,
    created: '2048-07-20T16:59:19.127Z',
    shardId: 8191,
    addedId: 1023,
  },
  // 2^40 ms after the epoch: the sign bit
  {
    name: 'the smallest negative id',
    id: -9223372036854775808n,
    created: '2048-07-20T16:59:19.128Z',
    shardId: 0,
    addedId: 0,
  },
  // 2^41 - 1 ms after the epoch
  { name: 'the last id of all', id: -1n, created: '2083-05-24T12:53:06.903Z', shardId: 8191, addedId: 1023 },
]

describe('a key', () => {
  it.each(vectors)('decodes $name', ({ id, created, shardId, addedId }) => {
    const key = new Key(id)
    expect(key.created.toISOString()).toBe(created)
    expect(key.shardId).toBe(shardId)
    expect(key.addedId).toBe(addedId)
  })

  it.each(vectors)('is made of the parts of $name', ({ id, created, shardId, addedId }) => {
    expect(Key.from({ created: new Date(created), shardId, addedId }).id).toBe(id)
  })

  it('comes from decimal text as from a bigint', () => {
    expect(new Key('307821103844175873').id).toBe(307821103844175873n)
    expect(new Key('-1').id).toBe(-1n)
    expect(new Key('0').id).toBe(0n)
  })

  it('shows its id in decimal, in JSON as text', () => {
    const key = new Key(-9223372036854775808n)
    expect(String(key)).toBe('-9223372036854775808')
    expect(JSON.stringify({ key })).toBe('{"key":"-9223372036854775808"}')
    expect(inspect(new Key(307821103844175873n))).toContain('shard 12')
  })

  it('counts from another epoch when told to', () => {
    expect(new Key(8388608n, 0).created.toISOString()).toBe('1970-01-01T00:00:00.001Z')
    expect(Key.from({ created: new Date(1), shardId: 0, addedId: 0 }, 0).id).toBe(8388608n)
  })

  it('cannot be changed', () => {
    const key = new Key(1n) as { id: bigint }
    expect(() => (key.id = 2n)).toThrow(TypeError)
  })

  it('equals a key of the same id and nothing else', () => {
    expect(new Key(5n).equals(new Key('5'))).toBe(true)
    expect(new Key(5n).equals(new Key(6n))).toBe(false)
    expect(new Key(5n).equals(5n)).toBe(false)
  })

  it('survives packing and unpacking, whatever its bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (id) => {
        const { created, shardId, addedId } = new Key(id)
        expect(Key.from({ created, shardId, addedId }).id).toBe(id)
      }),
    )
  })
})

describe('a refused key', () => {
  it('is a number, because it may have lost digits', () => {
    expect(() => new Key(307821103844175873 as never)).toThrow(TypeError)
    expect(() => new Key(5 as never)).toThrow('lose digits above 2^53')
  })

  it.each([undefined, null, true, {}, [], new Date(0), Symbol('5')])('is %s', (value) => {
    expect(() => new Key(value as never)).toThrow(TypeError)
  })

  it.each(['', ' ', '1.5', '1e3', '0x10', '+5', ' 5', '5 ', '5n', '٣', '--5', '-', 'shard', '00000000000000000000'])(
    'is the text %j',
    (text) => {
      expect(() => new Key(text)).toThrow(RangeError)
    },
  )

  it('does not fit into 64 signed bits', () => {
    expect(() => new Key(2n ** 63n)).toThrow(RangeError)
    expect(() => new Key(-(2n ** 63n) - 1n)).toThrow(RangeError)
    expect(() => new Key('9223372036854775808')).toThrow(RangeError)
  })

  it('is not repeated in full when the text is long', () => {
    expect(() => new Key('x'.repeat(100_000))).toThrow(/^.{0,120}$/s)
  })

  it.each([
    [{ shardId: 8192 }, RangeError],
    [{ shardId: -1 }, RangeError],
    [{ shardId: 1.5 }, RangeError],
    [{ shardId: '5' }, TypeError],
    [{ addedId: 1024 }, RangeError],
    [{ addedId: -1 }, RangeError],
    [{ addedId: 1n }, TypeError],
    [{ created: new Date('2013-09-16T21:05:31.351Z') }, RangeError],
    [{ created: new Date('2083-05-24T12:53:06.904Z') }, RangeError],
    [{ created: new Date(NaN) }, RangeError],
    [{ created: 5 }, TypeError],
  ])('has the part %o', (part, type) => {
    const parts = { created: new Date('2020-01-01'), shardId: 1, addedId: 1, ...part }
    expect(() => Key.from(parts as never)).toThrow(type)
  })
})

describe('the order of keys', () => {
  it('is that of creation, also across the change of sign in 2048', () => {
    const ids = [-1n, 5n, -9223372036854775808n, 0n, 9223372036854775807n]
    const sorted = ids.map((id) => new Key(id)).sort(Key.compare)
    expect(sorted.map(({ id }) => id)).toEqual([0n, 5n, 9223372036854775807n, -9223372036854775808n, -1n])
    expect(Key.compare(new Key(5n), new Key(5n))).toBe(0)
  })
})

describe('the bounds of a stretch of time', () => {
  const from = new Date('2014-11-15T14:11:06.450Z')

  it('hold every key of a shard in it, and no other', () => {
    const { first, last } = Key.bounds(12, from, new Date(from.getTime() + 1))
    expect(first.id).toBe(307821103844175872n)
    expect(last.id).toBe(307821103844175872n + 1023n)
  })

  it('reach to the last millisecond that a key can hold', () => {
    const { last } = Key.bounds(8191, from, new Date('2083-05-24T12:53:06.904Z'))
    expect(last.id).toBe(-1n)
  })

  it('are refused for an empty or reversed stretch', () => {
    expect(() => Key.bounds(12, from, from)).toThrow(RangeError)
    expect(() => Key.bounds(12, from, new Date(from.getTime() - 1))).toThrow(RangeError)
  })
})

describe('the schema of a shard', () => {
  it('has at least four digits', () => {
    expect([0, 5, 123, 8191].map(shardSchema)).toEqual(['shard0000', 'shard0005', 'shard0123', 'shard8191'])
  })
})
