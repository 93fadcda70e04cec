import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { isRunningWith } from './processes.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

/** A folder for TMPDIR: with blanks, and longer than a socket's path may be. Whatever a server leaves is seen in it. */
export class OwnTemporaryFolder implements Disposable {
  readonly path: string
  readonly #outer: string

  constructor() {
    this.#outer = makeTemporaryFolder('own')
    this.path = join(this.#outer, `a folder with blanks ${'and a long name '.repeat(6)}`.trim())
    mkdirSync(this.path)
    for (const folder of [this.#outer, this.path]) chmodSync(folder, 0o755)
  }

  /** The names in it. */
  list(): string[] {
    return readdirSync(this.path)
  }

  /** Waits until the folder is empty and no process has its name in the command line. */
  async untilNothingIsLeft(): Promise<void> {
    await until(`nothing left in TMPDIR, there is ${this.list().join(', ')}`, () => this.list().length === 0)
    await until('no process with TMPDIR in its command line', () => !isRunningWith(this.path))
  }

  [Symbol.dispose](): void {
    rmSync(this.#outer, { recursive: true, force: true })
  }
}
