import { describe, expect, test } from 'vitest'
import { describeFailures, formatRuns, type PlacedFailure } from '../../src/topology/like-failures.ts'

/** The same failure in many shards, or on many servers. */
function many(count: number, failureOf: (index: number) => PlacedFailure): PlacedFailure[] {
  return Array.from({ length: count }, (_, index) => failureOf(index))
}

describe('failures that differ only in where they happened', () => {
  test.each<[string, PlacedFailure[], string[]]>([
    [
      'one stays as it is',
      [{ serverId: 's1', shardId: 5, message: 'shard 5 is gone' }],
      ['s1, shard 5: shard 5 is gone'],
    ],
    ['none has no line', [], []],
    ['one without a place', [{ message: 'gone' }], ['gone']],
    [
      'shards of a server',
      many(200, (shardId) => ({ serverId: 's1', shardId, message: 'permission denied' })),
      ['s1, 200 shards (0-199): permission denied'],
    ],
    [
      'what was at work is told',
      many(200, (shardId) => ({ serverId: 's1', shardId, subject: '0042_x', message: 'no such table' })),
      ['s1, 200 shards (0-199), 0042_x: no such table'],
    ],
    [
      'names of schemas in the message',
      many(200, (shardId) => ({
        serverId: 's1',
        shardId,
        message: `permission denied for schema shard${String(shardId).padStart(4, '0')}`,
      })),
      ['s1, 200 shards (0-199): permission denied for schema shardNNNN'],
    ],
    [
      'shards of several servers',
      many(400, (shardId) => ({ serverId: shardId < 200 ? 's1' : 's2', shardId, message: `shard ${shardId} is gone` })),
      ['2 servers (s1-s2), 400 shards (0-399): shard N is gone'],
    ],
    [
      'servers, and their addresses',
      many(200, (index) => ({
        serverId: `s${index + 1}`,
        code: 'HV_CONNECT_FAILED',
        message: `no connection to server s${index + 1}: connect ECONNREFUSED 10.0.0.${index}:5432`,
      })),
      ['200 servers (s1-s200): no connection to the server: connect ECONNREFUSED 10.0.0.0:5432 (the others alike)'],
    ],
    [
      'servers whose names have no order',
      ['red', 'blue', 'db10', 'db11', 'db12', 'db014', 'a', 'b', 'c'].map((serverId) => ({
        serverId,
        message: 'gone',
      })),
      ['9 servers (red, blue, db10-db12, db014, a, b and 1 more): gone'],
    ],
    [
      'shards in pieces',
      many(40, (index) => ({ shardId: index * 2, message: 'gone' })),
      ['40 shards (0, 2, 4, 6, 8, 10 and 34 more): gone'],
    ],
    [
      'processes and times in the message',
      many(200, (index) => ({
        shardId: index,
        message: `shard ${index} waited longer than 100 ms for pid ${4000 + index} (active, for ${index} s)`,
      })),
      ['200 shards (0-199): shard N waited longer than 100 ms for pid 4000 (active, for 0 s) (the others alike)'],
    ],
    [
      'other causes stay apart, also with the same message',
      [
        { shardId: 1, code: 'HV_A', message: 'gone' },
        { shardId: 2, code: 'HV_B', message: 'gone' },
        { shardId: 3, code: 'HV_A', message: 'gone' },
        { shardId: 4, code: 'HV_A', message: 'column a1 is missing' },
        { shardId: 5, code: 'HV_A', message: 'column a2 is missing' },
      ],
      ['2 shards (1, 3): gone', 'shard 2: gone', 'shard 4: column a1 is missing', 'shard 5: column a2 is missing'],
    ],
    [
      'a whole server apart from its shards',
      [
        { serverId: 's1', message: 'gone' },
        { serverId: 's1', shardId: 1, message: 'gone' },
      ],
      ['s1: gone', 's1, shard 1: gone'],
    ],
    [
      'beyond five causes the rest is counted',
      many(7, (index) => ({ shardId: index, message: `column ${'abcdefg'[index]} is missing` })),
      ['a', 'b', 'c', 'd', 'e'].map((name, index) => `shard ${index}: column ${name} is missing`).concat('and 2 more'),
    ],
  ])('%s', (_, failures, lines) => {
    expect(describeFailures(failures)).toEqual(lines)
  })

  test('numbers are runs, and all of them unless a bound is given', () => {
    const numbers = Array.from({ length: 40 }, (_, index) => index * 2)
    expect(formatRuns([3, 1, 2, 9])).toBe('1-3, 9')
    expect(formatRuns(numbers).split(', ')).toHaveLength(40)
    expect(formatRuns(numbers, 2)).toBe('0, 2 and 38 more')
  })
})
