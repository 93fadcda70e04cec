import ora, { type Ora } from 'ora'
import type { Output } from './output.ts'
import { describeProgress, drawBar } from './progress-text.ts'

/** What a progress is about: `{ title: 'Provisioning', unit: 'shards', total: 320 }`. */
export interface ProgressSubject {
  readonly title: string
  readonly unit: string
  readonly total: number
}

/** Without a terminal a line is printed each time this part of the whole is done. */
const LINE_EVERY = 0.1

/** Progress on standard error: one line that is redrawn on a terminal, plain lines elsewhere. */
export class Progress implements Disposable {
  readonly #output: Output
  readonly #subject: ProgressSubject
  readonly #startedAt = performance.now()
  readonly #spinner: Ora | undefined
  #nextLineAt = LINE_EVERY
  #done = 0
  #note: string | undefined

  constructor(output: Output, subject: ProgressSubject) {
    this.#output = output
    this.#subject = subject
    if (output.isInteractive) this.#spinner = startSpinner(output)
    this.#show()
  }

  /** Tells how many are done now, and what else there is to say. */
  update(done: number, note?: string): void {
    this.#done = done
    this.#note = note
    this.#show()
  }

  /** Takes the line away; what is to stay is for the caller to say. Safe twice. */
  [Symbol.dispose](): void {
    this.#spinner?.stop()
  }

  #show(): void {
    if (this.#spinner === undefined) this.#showLine()
    else this.#spinner.text = `${drawBar(this.#reading())} ${this.#describe()}`
  }

  #showLine(): void {
    const { total } = this.#subject
    if (total === 0 || this.#done / total < this.#nextLineAt) return
    this.#output.talk(`${this.#subject.title}: ${this.#describe()}`)
    this.#nextLineAt = Math.floor(this.#done / total / LINE_EVERY + 1) * LINE_EVERY
  }

  #describe(): string {
    const text = describeProgress(this.#reading(), this.#subject.unit)
    return this.#note === undefined ? text : `${text}, ${this.#note}`
  }

  #reading(): { done: number; total: number; elapsedMs: number } {
    return { done: this.#done, total: this.#subject.total, elapsedMs: performance.now() - this.#startedAt }
  }
}

/** Starts a line that is redrawn. Standard input is left alone: a script may be reading its own lines from it. */
export function startSpinner(output: Output): Ora {
  const colour = output.hasColour ? 'cyan' : false
  return ora({
    stream: output.stderr as NodeJS.WriteStream,
    color: colour,
    discardStdin: false,
    isEnabled: true,
  }).start()
}
