import { describe, expect, it } from 'vitest'
import { bodyOf, flooredNextIdSql, isNextIdBody, nextIdSql } from '../../src/key/next-id-sql.ts'

const EPOCH_MS = 1_379_365_531_352

describe('the body of next_id()', () => {
  it.each([
    ['without a floor', nextIdSql(5, EPOCH_MS), true],
    ['with a floor', flooredNextIdSql(5, EPOCH_MS, { ms: 9, number: 12_345_678_901n }), true],
    ['of another shard', nextIdSql(6, EPOCH_MS), false],
    ['of another epoch, with a floor', flooredNextIdSql(5, 0, { ms: 9, number: 1n }), false],
    ['that somebody has changed', nextIdSql(5, EPOCH_MS).replace('% 1024', '% 512'), false],
  ])('%s is known for what it is', (_, sql, isKnown) => {
    expect(isNextIdBody(bodyOf(sql), 5, EPOCH_MS)).toBe(isKnown)
  })
})
