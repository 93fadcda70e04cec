import { describe, expect, test } from 'vitest'
import { toFailure } from '../../src/cli/terminal/failure.ts'
import { UsageError } from '../../src/cli/arguments/usage-error.ts'
import { HypervaultError } from '../../src/errors.ts'

describe('a failure', () => {
  test('of the datastore keeps its code and hint, and ends with 1', () => {
    const error = new HypervaultError('HV_SHARD_UNKNOWN', 'no server holds shard 7', { shardId: 7 })
    expect(toFailure(error)).toMatchObject({
      exitCode: 1,
      code: 'HV_SHARD_UNKNOWN',
      what: error.message,
      hint: error.hint,
    })
  })

  test('of the configuration ends with 2', () => {
    expect(toFailure(new HypervaultError('HV_CONFIG_INVALID', 'x: y', { file: 'x' }))).toMatchObject({ exitCode: 2 })
    expect(toFailure(new HypervaultError('HV_CONFIG_NOT_FOUND', 'x', { folder: '.' }))).toMatchObject({ exitCode: 2 })
  })

  test('of the call ends with 2', () => {
    expect(toFailure(new UsageError('no', 'yes'))).toMatchObject({
      exitCode: 2,
      code: 'USAGE',
      what: 'no',
      hint: 'yes',
    })
  })

  test('that nobody foresaw ends with 1 and tells how to see more', () => {
    expect(toFailure(new TypeError('bug: x'))).toMatchObject({ exitCode: 1, what: 'TypeError: bug: x' })
    expect(toFailure('a text').hint).toContain('HYPERVAULT_DEBUG=1')
  })

  test('is one line without control characters', () => {
    expect(toFailure(new UsageError('a\n  b\u001b[2Jc\u009bd')).what).toBe('a b [2Jc d')
  })
})
