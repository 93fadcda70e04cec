import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Output } from '../../src/cli/terminal/output.ts'
import { Progress } from '../../src/cli/terminal/progress.ts'
import { until } from '../support/until.ts'

const ESCAPE = '\u001b'

const subject = { title: 'init', unit: 'shards', total: 40 }

function makeOutput(terminal: object, env: NodeJS.ProcessEnv = {}): { output: Output; printed: () => string } {
  const stderr = Object.assign(new PassThrough(), terminal)
  const chunks: Buffer[] = []
  stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { output: new Output(new PassThrough(), stderr, env), printed: () => Buffer.concat(chunks).toString() }
}

const terminal = { isTTY: true, columns: 100, cursorTo: () => true, clearLine: () => true, moveCursor: () => true }

describe('progress', () => {
  test('without a terminal prints a plain line for each tenth, and no control characters', () => {
    const { output, printed } = makeOutput({})
    using progress = new Progress(output, subject)
    for (let done = 0; done <= 40; done += 1) progress.update(done)
    const lines = printed().trimEnd().split('\n')
    expect(lines).toHaveLength(10)
    expect(lines[0]).toBe('init: 4 of 40 shards')
    expect(lines[9]).toBe('init: 40 of 40 shards')
    expect(printed()).not.toContain(ESCAPE)
  })

  test('without a terminal prints one line when several tenths are done at once', () => {
    const { output, printed } = makeOutput({})
    using progress = new Progress(output, subject)
    progress.update(25)
    progress.update(26)
    progress.update(40)
    expect(printed()).toBe('init: 25 of 40 shards\ninit: 40 of 40 shards\n')
  })

  test('on a terminal draws a bar, and takes it away at the end', async () => {
    const { output, printed } = makeOutput(terminal)
    {
      using progress = new Progress(output, subject)
      progress.update(20)
      await until('the bar is drawn', () => printed().includes(`${'█'.repeat(14)}${'░'.repeat(14)} 20 of 40 shards`))
    }
    expect(printed().endsWith(`${ESCAPE}[?25h`)).toBe(true)
    expect(printed()).not.toContain('\n')
  })

  test.each([{ CI: '1' }, { TERM: 'dumb' }])('on a terminal with %j prints plain lines', (env) => {
    const { output, printed } = makeOutput(terminal, env)
    using progress = new Progress(output, subject)
    progress.update(40)
    expect(printed()).toBe('init: 40 of 40 shards\n')
  })

  test('has no colour where NO_COLOR is set', async () => {
    const { output, printed } = makeOutput(terminal, { NO_COLOR: '1' })
    using progress = new Progress(output, subject)
    progress.update(20)
    await until('the bar is drawn', () => printed().includes('20 of 40'))
    expect(printed()).not.toMatch(/\[\d+m/)
  })
})
