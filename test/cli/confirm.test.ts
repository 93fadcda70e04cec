import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { cliCommand, makeFolder, runCli } from './run-cli.ts'

/** `script` of util-linux runs a command in a pseudo terminal, and hands on what is written to it. */
const hasTerminals = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0

const connections = '[{"shards":"1-3","host":"127.0.0.1","port":1}]'
const QUESTION = 'Index nope is dropped in all shards. Continue? [y/N]'

interface Answered {
  readonly said: string
  readonly exitCode: number | null
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Runs a command at a terminal, and types once it has asked; undefined closes the terminal's input. */
async function answer(typed: string | undefined, columns = 80): Promise<Answered> {
  await using folder = await makeFolder()
  const command = cliCommand(['index', 'drop', 'nope']).map(quote).join(' ')
  const args = ['--quiet', '--return', '--flush', '--command', `stty columns ${columns}; exec ${command}`, '/dev/null']
  const env = { ...process.env, HYPERVAULT_CONNECTIONS: connections, CI: undefined, NO_COLOR: '1', TERM: 'xterm' }
  const child = spawn('script', args, { cwd: folder.path, env })
  let [said, isAsked] = ['', false]
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (isAsked || !said.includes(QUESTION)) return
    isAsked = true
    if (typed === undefined) child.stdin.end()
    else child.stdin.write(typed)
  })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { said, exitCode }
}

describe.skipIf(!hasTerminals)('a question at a terminal', () => {
  test.each([
    ['y', 'y\r'],
    ['Y', 'Y\r'],
    ['yes', 'yes\r'],
    ['yes with spaces around it', '  yes \r'],
  ])('is answered by %s, and it is done', async (_, typed) => {
    const { said, exitCode } = await answer(typed)
    expect(said).toContain('could not connect to server s1')
    expect(said).not.toContain('not confirmed')
    expect(exitCode).toBe(1)
  })

  test.each<[string, string | undefined]>([
    ['n', 'n\r'],
    ['Enter', '\r'],
    ['another word', 'yeah\r'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-C behind a y', 'y\u0003'],
    ['Ctrl-D', '\u0004'],
    ['the end of the input', undefined],
  ])('is not answered by %s, and nothing is done', async (_, typed) => {
    const { said, exitCode } = await answer(typed)
    expect(said).toContain('not confirmed: nothing was changed')
    expect(said).not.toMatch(/could not connect|stopped before the end|hint:/)
    expect(exitCode).toBe(1)
  })

  // A line that is redrawn would be cleared for ever.
  test('at a terminal that tells no width', async () => {
    expect((await answer('y\r', 0)).said).toContain('could not connect to server s1')
  })
})

test('where there is no terminal, nobody is asked', async () => {
  await using folder = await makeFolder()
  const env = { HYPERVAULT_CONNECTIONS: connections }
  const { stderr, exitCode } = await runCli(['index', 'drop', 'nope'], { cwd: folder.path, env, input: 'y\n' })
  expect(stderr).toContain('there is no terminal to ask for confirmation')
  expect(stderr).toContain('add --yes')
  expect(exitCode).toBe(2)
})
