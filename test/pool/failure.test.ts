import { DatabaseError } from 'pg'
import { describe, expect, it } from 'vitest'
import { classifyFailure, connectFailed, isLastWord, sqlstateOf } from '../../src/pool/failure.ts'

function serverError(code: string): DatabaseError {
  const error = new DatabaseError('x', 1, 'error')
  error.code = code
  error.severity = 'ERROR'
  return error
}

describe('a failed statement', () => {
  it.each(['23505', '42601', '57014', '40001', '53100', 'HV001'])('with SQLSTATE %s was refused', (code) => {
    expect(classifyFailure(serverError(code))).toEqual({ kind: 'refused', sqlstate: code })
  })

  it.each(['57P01', '57P02', '57P03', '57P05', '08006', '25P03', '40003'])(
    'with SQLSTATE %s has an unknown outcome',
    (code) => {
      expect(classifyFailure(serverError(code))).toEqual({ kind: 'lost', sqlstate: code })
    },
  )

  it('whose connection ended has an unknown outcome', () => {
    expect(classifyFailure(new Error('Connection terminated unexpectedly'))).toEqual({
      kind: 'lost',
      sqlstate: undefined,
    })
    expect(classifyFailure(Object.assign(new Error('x'), { code: 'EPIPE' }))).toEqual({
      kind: 'lost',
      sqlstate: undefined,
    })
  })

  it('has no SQLSTATE when a socket failed, even with a code of five letters', () => {
    expect(sqlstateOf(Object.assign(new Error('x'), { code: 'EPIPE' }))).toBeUndefined()
    expect(sqlstateOf('57P01')).toBeUndefined()
  })
})

describe('the last word of a backend', () => {
  const wordOf = (code: string, routine?: string): DatabaseError => Object.assign(serverError(code), { routine })

  it('is an error that ends its session', () => {
    expect(isLastWord(wordOf('57P01', 'ProcessInterrupts'))).toBe(true)
    expect(isLastWord(wordOf('57P05', 'ProcessInterrupts'))).toBe(true)
  })

  it.each([
    ['one of a pooler, which names no routine', wordOf('57P01')],
    ['one that a trigger raises', wordOf('57P01', 'exec_stmt_raise')],
    ['one that ends a statement only', wordOf('57014', 'ProcessInterrupts')],
    ['that of a socket', new Error('Connection terminated unexpectedly')],
  ])('is not %s', (_name, error) => {
    expect(isLastWord(error)).toBe(false)
  })
})

describe('a failed connection', () => {
  it('names every address that was tried', () => {
    const error = connectFailed(
      's1',
      new AggregateError([new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')]),
    )
    expect(error.message).toBe(
      'could not connect to server s1: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1',
    )
    expect(error).toMatchObject({ code: 'HV_CONNECT_FAILED', retryable: true })
  })

  it('of which only a code is known shows the code', () => {
    expect(connectFailed('s1', Object.assign(new Error(''), { code: 'ENOTFOUND' })).message).toContain('ENOTFOUND')
    expect(connectFailed('s1', 'odd').message).toContain('odd')
  })
})
