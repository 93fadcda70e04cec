import type { MigrationProgress } from '../../schema/migrations/progress.ts'
import type { Output } from '../terminal/output.ts'
import { Progress } from '../terminal/progress.ts'

/** Shows how far migrations are, once it is known how many there are. */
export class MigrateProgress implements Disposable {
  readonly #output: Output
  readonly #title: string
  #progress: Progress | undefined

  constructor(output: Output, title: string) {
    this.#output = output
    this.#title = title
  }

  /** Shows an event. */
  update(event: MigrationProgress): void {
    if (event.total === 0) return
    this.#progress ??= new Progress(this.#output, { title: this.#title, unit: 'migrations', total: event.total })
    this.#progress.update(event.done, describe(event))
  }

  [Symbol.dispose](): void {
    this.#progress?.[Symbol.dispose]()
  }
}

function describe({ isCanary, wave, waves, failed }: MigrationProgress): string {
  const place = isCanary ? 'canary' : `wave ${wave} of ${waves}`
  return failed === 0 ? place : `${place}, ${failed} failed`
}
