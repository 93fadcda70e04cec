import { open, readFile, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { HypervaultError } from '../../errors.ts'
import { withFile } from './file-error.ts'
import { OWNER_ONLY } from './owner-only.ts'

/** Who holds a lock. */
interface Holder {
  readonly pid: number
  readonly host: string
}

/** Locks that this process holds or is taking. One in its name that is not among them is of an earlier process with its number. */
const own = new Set<string>()

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
    const name = resolve(path)
    if (own.has(name)) throw busy(path, { pid: process.pid, host: hostname() })
    // Before it is looked for, so that nobody in this process takes it for one that was left behind.
    own.add(name)
    try {
      await withFile(path, () => take(path))
    } catch (error) {
      own.delete(name)
      throw error
    }
    return new LockFile(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unlink(this.#path).catch(ignoreMissing)
    own.delete(resolve(this.#path))
  }
}

async function take(path: string): Promise<void> {
  while (!(await tryCreate(path))) {
    const holder = await findHolder(path)
    if (holder !== undefined && isAlive(holder)) throw busy(path, holder)
    if (holder !== undefined) await removeStale(path, holder)
  }
}

async function tryCreate(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', OWNER_ONLY)
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
  // A container that starts again often gives the same number. What this process holds is known without the file.
  if (pid === process.pid) return false
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
