import { describe, expect, it } from 'vitest'
import { WriteLedger, type FoundWrite } from '../../demo/write-ledger.ts'
import { Key } from '../../src/key/key.ts'

const row = (id: bigint, number: number, version: number): FoundWrite => ({ key: new Key(id), number, version })

/** A put that was changed, one that was not, and what is there. */
function judge(rows: FoundWrite[]): object {
  const ledger = new WriteLedger()
  ledger.note(1, new Key(10n), 1)
  ledger.note(1, new Key(10n), 2)
  ledger.note(2, new Key(20n), 1)
  return ledger.judge(rows)
}

describe('a ledger of writes', () => {
  it('finds everything where it was promised', () => {
    expect(judge([row(10n, 1, 2), row(20n, 2, 1)])).toEqual({ acknowledged: 3, lost: 0, doubled: 0 })
  })

  it('takes a change that nobody was promised for no loss', () => {
    expect(judge([row(10n, 1, 2), row(20n, 2, 2)])).toMatchObject({ lost: 0, doubled: 0 })
  })

  it.each([
    ['a row that is not there', [row(10n, 1, 2)]],
    ['a change that is not there', [row(10n, 1, 1), row(20n, 2, 1)]],
    ['another row under its key', [row(10n, 1, 2), row(20n, 3, 1)]],
  ])('counts %s as lost', (_, rows) => {
    expect(judge(rows)).toMatchObject({ lost: 1, doubled: 0 })
  })

  it('counts a second row of one put as doubled', () => {
    expect(judge([row(10n, 1, 2), row(11n, 1, 1), row(20n, 2, 1)])).toMatchObject({ lost: 0, doubled: 1 })
  })
})
