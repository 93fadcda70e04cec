import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { StopRequest } from '../../src/cli/terminal/stop-request.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal

describe('a request to stop', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is %s', async (signal) => {
    const source = new EventEmitter()
    using request = new StopRequest(source, never)
    const waiting = request.wait()
    source.emit(signal)
    await waiting
    expect(request.signal.aborted).toBe(true)
  })

  test('is also that nobody reads any more', async () => {
    const closed = new AbortController()
    using request = new StopRequest(new EventEmitter(), closed.signal)
    closed.abort()
    await request.wait()
    expect(request.signal.aborted).toBe(true)
  })

  test('is caught once: a second Ctrl-C does what it does anywhere', async () => {
    const source = new EventEmitter()
    using _ = new StopRequest(source, never)
    source.emit('SIGINT')
    expect(source.listenerCount('SIGINT')).toBe(1)
    await until('nothing listens any more', () => source.listenerCount('SIGINT') === 0)
  })
})
