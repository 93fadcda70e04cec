import type { Output } from '../../src/cli/terminal/output.ts'
import { Progress } from '../../src/cli/terminal/progress.ts'

/** Says on standard error what is being done, and how far it is. */
export class ProgressLine implements Disposable {
  readonly #output: Output
  #title = ''
  #progress: Progress | undefined

  constructor(output: Output) {
    this.#output = output
  }

  /** Says something: a line of its own, or with a total the line of progress. */
  say(title: string, done?: number, total?: number): void {
    if (title !== this.#title) this.#begin(title, total)
    if (done !== undefined) this.#progress?.update(done)
  }

  [Symbol.dispose](): void {
    this.#progress?.[Symbol.dispose]()
    this.#progress = undefined
  }

  #begin(title: string, total: number | undefined): void {
    this[Symbol.dispose]()
    this.#title = title
    if (total === undefined) this.#output.talk(title)
    else this.#progress = new Progress(this.#output, { title, unit: 'steps', total })
  }
}
