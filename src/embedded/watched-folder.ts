import { randomBytes } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Watcher } from './watcher.ts'

/** A temporary folder that is gone when this Node.js is gone, whatever way it ends. */
export class WatchedFolder {
  readonly path: string
  readonly watcher: Watcher

  /** Makes the folder `hypervault-<purpose>-<random>` with these permissions. */
  constructor(purpose: string, mode: number) {
    this.path = join(temporaryRoot(), `hypervault-${purpose}-${randomBytes(8).toString('hex')}`)
    // First the watcher, then the folder: Node.js may be killed between the two.
    this.watcher = new Watcher(this.path)
    mkdirSync(this.path, { mode })
  }

  /** Removes the folder now. The watcher does it; the second removal is for one that somebody killed. */
  async remove(): Promise<void> {
    await this.watcher.finish()
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 })
  }
}

// PostgreSQL runs as nobody when this is root, and cannot work in a folder below a private one.
function temporaryRoot(): string {
  const root = tmpdir()
  return process.getuid?.() === 0 && !isReachableByAll(root) ? '/tmp' : root
}

function isReachableByAll(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false
  return dirname(folder) === folder || isReachableByAll(dirname(folder))
}
