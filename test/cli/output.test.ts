import { getEventListeners } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Output, type TerminalStream } from '../../src/cli/terminal/output.ts'

function collect(stream: PassThrough): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

function makeStreams(isTTY: boolean): { stdout: TerminalStream & PassThrough; stderr: TerminalStream & PassThrough } {
  return { stdout: Object.assign(new PassThrough(), { isTTY }), stderr: Object.assign(new PassThrough(), { isTTY }) }
}

describe('output', () => {
  test('on a terminal has colours, unless NO_COLOR is set or the terminal is dumb', () => {
    const { stdout, stderr } = makeStreams(true)
    expect(new Output(stdout, stderr, {}).paintData('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(new Output(stdout, stderr, { NO_COLOR: '1' }).paintData('red', 'x')).toBe('x')
    expect(new Output(stdout, stderr, { TERM: 'dumb' }).paint('red', 'x')).toBe('x')
  })

  test('elsewhere has none', () => {
    const { stdout, stderr } = makeStreams(false)
    const output = new Output(stdout, stderr, {})
    expect([output.paint('red', 'x'), output.paintData('red', 'x')]).toEqual(['x', 'x'])
  })

  test('tells a problem in one line and a hint in one line, on standard error', () => {
    const { stdout, stderr } = makeStreams(false)
    const [printed, said] = [collect(stdout), collect(stderr)]
    new Output(stdout, stderr, {}).problem('it broke', 'mend it')
    expect({ printed: printed(), said: said() }).toEqual({
      printed: '',
      said: 'hypervault: it broke\n      hint: mend it\n',
    })
  })

  test('waits for a slow reader', async () => {
    const stdout = new PassThrough({ highWaterMark: 4 })
    const output = new Output(stdout, new PassThrough(), {})
    let isDone = false
    const printing = output.data('more than four').then(() => (isDone = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isDone).toBe(false)
    stdout.resume()
    await printing
  })

  test('leaves no listener behind, however often it waits', async () => {
    const stdout = new PassThrough({ highWaterMark: 4 })
    const output = new Output(stdout, new PassThrough(), {})
    stdout.resume()
    for (let line = 0; line < 20; line += 1) await output.data('more than four')
    expect(getEventListeners(output.closed, 'abort')).toEqual([])
    expect(stdout.listenerCount('drain')).toBeLessThan(2)
  })

  test('is dropped once the reader is gone, and that is no failure', async () => {
    let writes = 0
    const broken = new Writable({
      write: (_chunk, _encoding, done) => {
        writes += 1
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      },
      autoDestroy: false,
    })
    const output = new Output(broken, new PassThrough(), {})
    await output.data('lost')
    await new Promise((resolve) => setImmediate(resolve))
    expect(output.closed.aborted).toBe(true)
    await output.data('not tried')
    expect(writes).toBe(1)
  })
})
