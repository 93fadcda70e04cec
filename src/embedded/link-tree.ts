import { constants } from 'node:fs'
import { chmod, copyFile, link, mkdir, readdir, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes a second tree of the same files, readable for everyone: by hard links, and by copies where the file system or
 * its rules refuse a link, or where the file is not readable for everyone (a link would share that).
 */
export async function linkTree(source: string, target: string): Promise<void> {
  const entries = await readdir(source, { withFileTypes: true })
  await Promise.all(
    entries.map(async (entry) => {
      const [from, to] = [join(source, entry.name), join(target, entry.name)]
      if (!entry.isDirectory()) return await linkFile(from, to)
      await makePublicFolder(to)
      await linkTree(from, to)
    }),
  )
}

async function makePublicFolder(path: string): Promise<void> {
  await mkdir(path)
  await chmod(path, 0o755)
}

// stat, not the entry's type: a package whose install script ran has symbolic links here, which become files.
async function linkFile(from: string, to: string): Promise<void> {
  const { mode } = await stat(from)
  const isPublic = (mode & 0o004) !== 0 && ((mode & 0o100) === 0 || (mode & 0o001) !== 0)
  if (!isPublic || !(await tryLink(from, to))) await copyPublicly(from, to, mode)
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch {
    return false
  }
}

async function copyPublicly(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  await chmod(to, (mode & 0o100) !== 0 ? 0o755 : 0o644)
}

/** Makes a symbolic link; one that is there already is fine. */
export async function ensureSymlink(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
