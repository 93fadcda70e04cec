import { open, readFile, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { HypervaultError } from '../../errors.ts'

/** Who holds a lock. */
interface Holder {
  readonly pid: number
  readonly host: string
}

/**
 * Keeps a second process from the same work: a file that is there while the work is done. One that a killed process left
 * behind is taken over, unless it ran on another computer, of which nobody here can tell.
 */
export class LockFile implements AsyncDisposable {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Takes the lock; throws `HV_JOURNAL_BUSY` when another process has it. */
  static async take(path: string): Promise<LockFile> {
    for (;;) {
      if (await tryCreate(path)) return new LockFile(path)
      const holder = await findHolder(path)
      if (holder !== undefined && isAlive(holder)) throw busy(path, holder)
      if (holder !== undefined) await removeStale(path, holder)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unlink(this.#path).catch(ignoreMissing)
  }
}

async function tryCreate(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Undefined when the lock is gone. One that says nothing is being written this moment, or was when the power failed. */
async function findHolder(path: string): Promise<Holder | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    return text === '' ? { pid: 0, host: '' } : (JSON.parse(text) as Holder)
  } catch (error) {
    ignoreMissing(error)
    return undefined
  }
}

/** Moves the lock aside first, which only one process can. If it is another one by now, it goes back. */
async function removeStale(path: string, { pid }: Holder): Promise<void> {
  const aside = `${path}.${process.pid}`
  await rename(path, aside).catch(ignoreMissing)
  const moved = await findHolder(aside)
  if (moved !== undefined && moved.pid !== pid) await rename(aside, path)
  else await unlink(aside).catch(ignoreMissing)
}

function isAlive({ pid, host }: Holder): boolean {
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function busy(path: string, { pid, host }: Holder): HypervaultError {
  const who = pid === 0 ? 'a process' : `process ${pid} on ${host}`
  return new HypervaultError('HV_JOURNAL_BUSY', `${who} is at work here: it holds ${path}`, { file: path, pid, host })
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
