import { chmodSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Binaries } from './binaries.ts'
import { ensureSymlink, linkTree } from './link-tree.ts'
import { WatchedFolder } from './watched-folder.ts'

/** Programs that can be run now, until they are released. */
export interface Runtime {
  readonly version: number
  readonly binFolder: string
  release(): Promise<void>
}

/**
 * The package's tree as it must be to run, in a temporary folder: readable for the user that PostgreSQL runs as
 * (node_modules may be below a private home), and with the library links that npm packages cannot carry. Servers of
 * one version in one Node.js share one; it goes with the last of them.
 */
class RuntimeFolder {
  static readonly #folders = new Map<string, RuntimeFolder>()

  readonly #folder: WatchedFolder
  readonly #built: Promise<void>
  #users = 0

  static async acquire(nativeFolder: string, version: number): Promise<Runtime> {
    const shared = RuntimeFolder.#folders.get(nativeFolder) ?? new RuntimeFolder(nativeFolder, version)
    RuntimeFolder.#folders.set(nativeFolder, shared)
    return await shared.#lend(nativeFolder, version)
  }

  private constructor(nativeFolder: string, version: number) {
    this.#folder = new WatchedFolder(`runtime-${version}`, 0o755)
    this.#built = buildRuntime(nativeFolder, this.#folder.path)
  }

  async #lend(nativeFolder: string, version: number): Promise<Runtime> {
    const release = this.#countUser(nativeFolder)
    try {
      await this.#built
    } catch (error) {
      await release()
      throw error
    }
    return { version, binFolder: join(this.#folder.path, 'bin'), release }
  }

  #countUser(nativeFolder: string): () => Promise<void> {
    this.#users++
    let isReleased = false
    return async () => {
      if (isReleased) return
      isReleased = true
      if (--this.#users === 0) await this.#remove(nativeFolder)
    }
  }

  async #remove(nativeFolder: string): Promise<void> {
    // Out of the map first: whoever comes while the folder goes away needs a new one.
    RuntimeFolder.#folders.delete(nativeFolder)
    await this.#folder.remove()
  }
}

/** Makes binaries runnable; a folder of one's own is used as it is. */
export async function acquireRuntime(binaries: Binaries): Promise<Runtime> {
  if (binaries.source === 'package') return await RuntimeFolder.acquire(binaries.nativeFolder, binaries.version)
  return { version: binaries.version, binFolder: binaries.binFolder, release: async () => {} }
}

async function buildRuntime(nativeFolder: string, path: string): Promise<void> {
  chmodSync(path, 0o755)
  await linkTree(nativeFolder, path)
  await makeLibraryLinks(path)
}

interface LibraryLink {
  /** The file, as `native/lib/…`. */
  readonly source: string
  /** The link, as `native/lib/…`. */
  readonly target: string
}

async function makeLibraryLinks(path: string): Promise<void> {
  const links = JSON.parse(await readFile(join(path, 'pg-symlinks.json'), 'utf8')) as LibraryLink[]
  const place = (name: string): string => join(path, relative('native', name))
  await Promise.all(links.map((link) => ensureSymlink(relative(dirname(link.target), link.source), place(link.target))))
}
