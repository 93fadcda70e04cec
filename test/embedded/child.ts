import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** A Node.js that runs a file of the folder fixtures. */
export class Child {
  readonly process: ChildProcess
  readonly stderr: Promise<string>
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown[]>

  constructor(fixture: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const script = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url))
    this.process = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
      env: { ...process.env, HYPERVAULT_PG_BIN: '', TSX_DISABLE_CACHE: '1', ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#exited = once(this.process, 'exit')
    this.stderr = text(this.process.stderr!)
    this.#lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]()
  }

  /** The next line that it prints, as JSON. */
  async read<T>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error(`the child ended: ${await this.stderr}`)
    return JSON.parse(value) as T
  }

  /** Sends a signal to it and all that is in its process group, as a terminal does on Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-Number(this.process.pid), signal)
  }

  /** Waits for its end; gives the exit code or the signal. */
  async ended(): Promise<number | string> {
    const [exitCode, signal] = (await this.#exited) as [number | null, string | null]
    return exitCode ?? String(signal)
  }
}
