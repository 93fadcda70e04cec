import { describe, expect, it } from 'vitest'
import { HypervaultError } from '../../src/errors.ts'
import { decideRetry, type FailedAttempt } from '../../src/shard/transaction/decide-retry.ts'

/** An error as a server's arrives through pg. */
function serverError(code: string): Error {
  return Object.assign(new Error('x'), { severity: 'ERROR', code })
}

function failed(attempt: Partial<FailedAttempt>): FailedAttempt {
  return { error: new Error('mine'), failure: undefined, hasHstoreMoved: false, retries: 0, chance: 0.5, ...attempt }
}

const moved = new HypervaultError('HV_SHARD_MOVED', 'x', { serverId: 's1', shardId: 1 })

describe('a transaction is run again', () => {
  it.each(['40001', '40P01'])('after %s, thrown as it is, wrapped, or made another error of', (code) => {
    const error = serverError(code)
    const wrapped = new Error('a', { cause: new Error('b', { cause: error }) })
    for (const attempt of [{ error }, { error: wrapped }, { failure: error }]) {
      expect(decideRetry(failed(attempt), { retry: 5 })).toEqual({ action: 'again', pauseMs: 2.5 })
    }
  })

  it('after pauses that grow, up to half a second', () => {
    const error = serverError('40001')
    const pauses = [0, 1, 2, 7, 50].map((retries) => decideRetry(failed({ error, retries, chance: 1 }), { retry: 99 }))
    expect(pauses.map((decision) => 'pauseMs' in decision && decision.pauseMs)).toEqual([5, 10, 20, 500, 500])
  })

  it('at once after hstore has moved, unless it may not be', () => {
    const attempt = failed({ error: serverError('42883'), hasHstoreMoved: true })
    expect(decideRetry(attempt, { retry: 5 })).toEqual({ action: 'again', pauseMs: 0 })
    expect(decideRetry({ ...attempt, retries: 5 }, { retry: 5 })).toEqual({ action: 'stop' })
    expect(decideRetry(attempt, { retry: false })).toEqual({ action: 'stop' })
  })

  it('where the shard lives after the refusal of a fence', () => {
    const wrapped = new Error('a', { cause: moved })
    expect(decideRetry(failed({ error: wrapped, retries: 5 }), { retry: 5 })).toEqual({
      action: 'follow',
      refusal: moved,
    })
  })
})

describe('a transaction is not run again', () => {
  it('after any other error', () => {
    for (const error of [new Error('mine'), serverError('23505'), 'text', undefined, { code: '40001' }]) {
      expect(decideRetry(failed({ error }), { retry: 5 })).toEqual({ action: 'stop' })
    }
  })

  it('more often than it may, or at all with false', () => {
    const error = serverError('40001')
    expect(decideRetry(failed({ error, retries: 5 }), { retry: 5 })).toEqual({ action: 'stop' })
    expect(decideRetry(failed({ error }), { retry: 0 })).toEqual({ action: 'stop' })
    expect(decideRetry(failed({ error }), { retry: false })).toEqual({ action: 'stop' })
    expect(decideRetry(failed({ error: moved }), { retry: false })).toEqual({ action: 'stop' })
  })

  it('for causes that name one another in a circle', () => {
    const error = new Error('a')
    error.cause = new Error('b', { cause: error })
    expect(decideRetry(failed({ error }), { retry: 5 })).toEqual({ action: 'stop' })
  })
})
