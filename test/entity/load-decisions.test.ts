import { describe, expect, it } from 'vitest'
import { decideEnd } from '../../src/entity/load/commit-end.ts'
import { Ledger } from '../../src/entity/load/ledger.ts'
import { findRefusedRow } from '../../src/entity/load/load-error.ts'
import { RowRanges } from '../../src/entity/load/row-ranges.ts'
import { decideRefusal } from '../../src/entity/load/server-loader.ts'
import { decideNext, ShardQueue } from '../../src/entity/load/shard-queue.ts'
import { HypervaultError, type ErrorCode } from '../../src/errors.ts'

const errorOf = (code: ErrorCode, cause?: unknown): HypervaultError =>
  new HypervaultError(code, 'failed', { serverId: 's1', shardId: 1, sqlstate: '23514' }, { cause })

describe('of a commit that was not answered', () => {
  it.each([
    ['nothing is known while the server cannot be asked', undefined, 'wait'],
    ['nothing is known while it goes on', { status: 'in progress', isThere: false }, 'wait'],
    ['it is committed when its row is there', { status: 'committed', isThere: true }, 'committed'],
    ['it is committed when its row is there and its number is too old', { status: null, isThere: true }, 'committed'],
    ['nobody knows when it is committed and its row is gone', { status: 'committed', isThere: false }, 'unknown'],
    ['it is aborted when the server says so', { status: 'aborted', isThere: false }, 'aborted'],
    ['it is aborted when its row is not there and its number is too old', { status: null, isThere: false }, 'aborted'],
  ])('%s', (_title, reading, end) => {
    expect(decideEnd(reading)).toBe(end)
  })
})

describe('a batch that was not stored', () => {
  it.each([
    ['is begun again when the connection was lost', errorOf('HV_CONNECTION_LOST'), 1, 'again'],
    ['fails when the connection was lost each time', errorOf('HV_CONNECTION_LOST'), 3, 'fail'],
    ['goes after a shard that moves', errorOf('HV_SHARD_MOVED'), 5, 'follow'],
    ['goes after a shard that has moved', errorOf('HV_SHARD_MISSING'), 1, 'follow'],
    ['fails when the server refuses it', errorOf('HV_STATEMENT_FAILED'), 1, 'fail'],
    ['fails when it may be stored', errorOf('HV_OUTCOME_UNKNOWN'), 1, 'fail'],
    ['fails with the reason of an abort', new Error('aborted'), 1, 'fail'],
  ])('%s', (_title, error, attempts, refusal) => {
    expect(decideRefusal(error, attempts)).toBe(refusal)
  })

  it.each([
    ['is named by the line that the server names', 'COPY entities, line 3, column body', 7],
    ['is named in other languages', 'COPY entities, Zeile 1', 5],
    ['is not named when the server says something else', 'PL/pgSQL function x() line 3 at RAISE', undefined],
    ['is not named for a line that there is not', 'COPY entities, line 9', undefined],
  ])('and its row %s', (_title, where, row) => {
    expect(findRefusedRow(errorOf('HV_STATEMENT_FAILED', { where }), [5, 6, 7])).toBe(row)
  })
})

describe('the shard that is stored next', () => {
  const queueOf = (shardId: number, ...rows: number[]): ShardQueue => {
    const queue = new ShardQueue(shardId, { batchRows: 10, batchBytes: 1_000_000 })
    for (const row of rows) queue.append(row, 1, {})
    return queue
  }

  it('is the fullest, but that of the oldest row when it holds back the others', () => {
    const queues = [queueOf(1, 3, 4), queueOf(2, 1), queueOf(3, 5, 6, 7)]
    expect(decideNext(queues, false)?.shardId).toBe(3)
    expect(decideNext(queues, true)?.shardId).toBe(2)
    expect(decideNext([], true)).toBeUndefined()
  })

  it('takes a batch that was put back first again', () => {
    const queue = queueOf(1, ...Array.from({ length: 25 }, (_, row) => row))
    const first = queue.take()
    expect([queue.oldestRow, queue.isTaken, first.attempts]).toEqual([10, true, 1])
    queue.putBack(first)
    expect(queue.oldestRow).toBe(0)
    expect(queue.take().attempts).toBe(2)
  })

  it('is the fullest by bytes when its rows are large', () => {
    const large = new ShardQueue(4, { batchRows: 1_000, batchBytes: 1_000 })
    large.append(9, 1, { text: 'x'.repeat(900) })
    expect(decideNext([queueOf(1, 1, 2), large], false)?.shardId).toBe(4)
  })
})

describe('the account of a load', () => {
  it('gives the ids in order, and knows each row', () => {
    const ledger = new Ledger()
    for (let row = 0; row < 8; row += 1) expect(ledger.enter()).toBe(row)
    ledger.store([0, 1, 3, 6], [10n, 11n, 13n, 16n])
    ledger.doubt([4])
    expect(ledger.take(1)).toEqual([10n])
    expect(ledger.take(9)).toEqual([11n])
    expect(ledger.take(9)).toEqual([])
    expect([...ledger.untaken()]).toEqual([
      [3, 13n],
      [6, 16n],
    ])
    expect(ledger.account()).toEqual({
      rowsRead: 8,
      stored: [
        { first: 0, end: 2 },
        { first: 3, end: 4 },
        { first: 6, end: 7 },
      ],
      notStored: [
        { first: 2, end: 3 },
        { first: 5, end: 6 },
        { first: 7, end: 8 },
      ],
      unknown: [{ first: 4, end: 5 }],
    })
  })

  it('stays exact when the rows that were taken are forgotten', () => {
    const ledger = new Ledger()
    const count = 100_000
    for (let row = 0; row < count; row += 1) {
      ledger.store([ledger.enter()], [BigInt(row)])
      if (row % 1_000 === 999) expect(ledger.take(1_000)).toHaveLength(1_000)
    }
    ledger.enter()
    expect(ledger.size).toBe(1)
    expect(ledger.account()).toMatchObject({
      rowsRead: count + 1,
      stored: [{ first: 0, end: count }],
      notStored: [{ first: count, end: count + 1 }],
    })
  })

  it('makes no empty ranges', () => {
    const ranges = new RowRanges()
    ranges.add(0, 0)
    expect(ranges.list).toEqual([])
  })
})
