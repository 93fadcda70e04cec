import type { ProvisionProgress } from '../../schema/provision-options.ts'
import type { Progress } from './progress.ts'

/** Adds up how far several servers are, and shows the sum. */
export class ProgressSum {
  readonly #progress: Progress
  readonly #done = new Map<string, number>()

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** What one provisioning tells; `run` keeps it apart from others on the same servers. */
  add({ serverId, done }: ProvisionProgress, run = 0): void {
    this.#done.set(`${run} ${serverId}`, done)
    this.#progress.update([...this.#done.values()].reduce((sum, count) => sum + count, 0))
  }
}
