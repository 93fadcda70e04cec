import { open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { HypervaultError } from '../../errors.ts'
import { withFile } from './file-error.ts'
import { OWNER_ONLY } from './owner-only.ts'
import { findProcessStart } from './process-start.ts'

/** Who holds a lock. */
interface Holder {
  /** 0 when the file does not say. */
  readonly pid: number
  readonly host: string
  /** When the process was started: after a restart another one may have its number. Unknown but on Linux. */
  readonly start?: string | undefined
}

/** Age from which a lock that does not say whose it is was left behind: whoever is writing it does so at once. */
const UNWRITTEN_MS = 10_000

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
    if (holder !== undefined && (await isHeld(path, holder))) throw busy(path, holder)
    if (holder !== undefined) await removeStale(path, holder)
  }
}

async function tryCreate(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', OWNER_ONLY)
    const holder: Holder = { pid: process.pid, host: hostname(), start: await findProcessStart(process.pid) }
    await file.writeFile(JSON.stringify(holder))
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
    return readHolder(await readFile(path, 'utf8'))
  } catch (error) {
    ignoreMissing(error)
    return undefined
  }
}

function readHolder(text: string): Holder {
  try {
    const { pid, host, start } = Object(JSON.parse(text)) as Partial<Holder>
    if (Number.isInteger(pid) && Number(pid) > 0 && typeof host === 'string') return { pid: Number(pid), host, start }
  } catch {
    // It is not written to its end.
  }
  return { pid: 0, host: '' }
}

async function isHeld(path: string, holder: Holder): Promise<boolean> {
  if (holder.pid !== 0) return isAlive(holder)
  const { mtimeMs } = await stat(path).catch((error: unknown) => {
    ignoreMissing(error)
    return { mtimeMs: 0 }
  })
  return Math.abs(Date.now() - mtimeMs) < UNWRITTEN_MS
}

/** Moves the lock aside first, which only one process can. If it is another one by now, it goes back. */
async function removeStale(path: string, { pid }: Holder): Promise<void> {
  const aside = `${path}.${process.pid}`
  await rename(path, aside).catch(ignoreMissing)
  const moved = await findHolder(aside)
  if (moved !== undefined && moved.pid !== pid) await rename(aside, path)
  else await unlink(aside).catch(ignoreMissing)
}

async function isAlive({ pid, host, start }: Holder): Promise<boolean> {
  if (host !== hostname()) return true
  // A container that starts again often gives the same number. What this process holds is known without the file.
  if (pid === process.pid) return false
  if (!isThere(pid)) return false
  const startNow = start === undefined ? undefined : await findProcessStart(pid)
  return startNow === undefined || startNow === start
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function busy(path: string, { pid, host }: Holder): HypervaultError {
  const who = pid === 0 ? 'a process' : `process ${pid} on ${host}`
  return new HypervaultError('HV_JOURNAL_BUSY', `${who} is running the same import or export: it holds ${path}`, {
    file: path,
    pid,
    host,
  })
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
