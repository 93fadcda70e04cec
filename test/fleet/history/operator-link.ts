import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerConnection } from '../../../src/embedded/server-connection.ts'

/** What an operator is told to do. */
export interface OperatorOrder {
  readonly verb: 'move' | 'resume' | 'abort' | 'complete' | 'reverse'
  /** Number of the move, or of the shard that is to be moved. */
  readonly id: number
  readonly to?: string
  readonly maxPauseMs: number
  /** The operator kills itself at this checkpoint, counted from 1. */
  readonly dieAt?: number | undefined
  /** The operator waits at this one, while something happens to the servers. */
  readonly askAt?: number | undefined
}

/** What an operator says. */
export type OperatorWord =
  | { readonly word: 'ready' }
  | { readonly word: 'at'; readonly name: string }
  | { readonly word: 'done'; readonly mismatches: readonly string[] }
  | { readonly word: 'failed'; readonly code: string; readonly message: string }

/** How an order ended. */
export type OperatorEnd = Exclude<OperatorWord, { word: 'ready' | 'at' }> | { readonly word: 'died' }

const script = fileURLToPath(new URL('fixtures/operator.ts', import.meta.url))

/** An operator in a process of its own; another one is started after the death of the last. */
export class OperatorLink implements AsyncDisposable {
  readonly #catalog: ServerConnection
  #process: ChildProcess | undefined

  constructor(catalog: ServerConnection) {
    this.#catalog = catalog
  }

  /** Starts the operator unless it is there. */
  async ready(): Promise<void> {
    await this.#findLiving()
  }

  /** Gives an order and waits for its end. `onAsk` is called while the operator waits at the checkpoint `askAt`. */
  async run(order: OperatorOrder, onAsk: (name: string) => Promise<void>): Promise<OperatorEnd> {
    const child = await this.#findLiving()
    return await new Promise((resolve, reject) => {
      const end = (how: OperatorEnd): void => {
        child.off('message', hear).off('exit', onExit)
        resolve(how)
      }
      const onExit = (): void => end({ word: 'died' })
      const hear = (word: OperatorWord): void => {
        if (word.word === 'at') onAsk(word.name).then(() => child.send('go on', () => undefined), reject)
        else if (word.word !== 'ready') end(word)
      }
      child.on('message', hear).on('exit', onExit)
      child.send(order, () => undefined)
    })
  }

  /** Ends the operator as the operating system would, if there is one. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  /** The operator that there is, or another one in the place of one that died. */
  async #findLiving(): Promise<ChildProcess> {
    const known = this.#process
    if (known !== undefined && known.connected && known.exitCode === null && known.signalCode === null) return known
    return (this.#process = await this.#start())
  }

  async #start(): Promise<ChildProcess> {
    const env = { ...process.env, OPERATOR_CATALOG: JSON.stringify(this.#catalog), NODE_OPTIONS: '' }
    const child = fork(script, { execArgv: ['--import', 'tsx'], env })
    const exited = once(child, 'exit').then(() => Promise.reject(new Error('the operator did not start')))
    await Promise.race([once(child, 'message'), exited])
    // Nobody waits for this promise any more.
    exited.catch(() => undefined)
    return child
  }
}
