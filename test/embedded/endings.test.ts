import { existsSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../support/until.ts'
import { Child } from './child.ts'
import { OwnTemporaryFolder } from './own-temporary-folder.ts'
import { isListening } from './port.ts'
import { isRunning } from './processes.ts'

interface Started {
  readonly pid: number
  readonly port: number
}

function startChild(ending: string): { child: Child; folder: OwnTemporaryFolder } {
  const folder = new OwnTemporaryFolder()
  const child = new Child('one-server.ts', [ending], { TMPDIR: folder.path })
  onTestFinished(() => {
    child.process.kill('SIGKILL')
    folder[Symbol.dispose]()
  })
  return { child, folder }
}

async function expectNothingLeft({ pid, port }: Started, folder: OwnTemporaryFolder): Promise<void> {
  await until('the server is gone', () => !isRunning(pid))
  await folder.untilNothingIsLeft()
  expect(await isListening(port)).toBe(false)
}

it.each([
  ['process.exit()', 'exit', 3],
  ['an uncaught error', 'throw', 1],
  ['having nothing left to do', 'forget', 0],
])('nothing is left after Node.js ends by %s', async (_, ending, exitCode) => {
  const { child, folder } = startChild(ending)
  await child.read()
  const started = await child.read<Started>()
  expect(await child.ended()).toBe(exitCode)
  await expectNothingLeft(started, folder)
})

it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const)(
  'nothing is left after Node.js and its process group get %s',
  async (signal) => {
    const { child, folder } = startChild('wait')
    await child.read()
    const started = await child.read<Started>()
    expect(folder.list()).toHaveLength(2)
    child.process.kill(signal)
    expect(await child.ended()).toBe(signal)
    await expectNothingLeft(started, folder)
  },
)

it('nothing is left after Node.js gets SIGKILL while initdb is at work', async () => {
  const { child, folder } = startChild('wait')
  await child.read()
  await until('initdb is at work', () => folder.list().some((name) => existsSync(`${folder.path}/${name}/data/base`)))
  child.process.kill('SIGKILL')
  await child.ended()
  await folder.untilNothingIsLeft()
})

it('the end of Node.js is quiet', async () => {
  const { child, folder } = startChild('exit')
  await child.ended()
  await folder.untilNothingIsLeft()
  expect(await child.stderr).toBe('')
})
