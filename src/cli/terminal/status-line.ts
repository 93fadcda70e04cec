import type { Ora } from 'ora'
import type { Output } from './output.ts'
import { startSpinner } from './progress.ts'

/** Without a terminal, what goes on is told again after this time. */
const LINE_EVERY_MS = 5_000

/** Says on standard error what goes on: one line that is redrawn on a terminal, a line now and then elsewhere. */
export class StatusLine implements Disposable {
  readonly #output: Output
  readonly #spinner: Ora | undefined
  #toldAt = performance.now()

  constructor(output: Output) {
    this.#output = output
    if (output.isInteractive) this.#spinner = startSpinner(output)
  }

  /** Shows a text; what `isNew` is told at once also without a terminal. */
  show(text: string, isNew = false): void {
    if (this.#spinner !== undefined) this.#spinner.text = text
    else if (isNew || performance.now() - this.#toldAt > LINE_EVERY_MS) {
      this.#toldAt = performance.now()
      this.#output.talk(text)
    }
  }

  /** Takes the line away. Safe twice. */
  [Symbol.dispose](): void {
    this.#spinner?.stop()
  }
}
