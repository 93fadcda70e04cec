import { HypervaultError } from '../../errors.ts'

/** What a file system refuses, and what helps. */
const reasons: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EACCES: ['permission is denied', 'Choose another place, or let this user read and write there.'],
  EPERM: ['it is not permitted', 'Choose another place, or let this user read and write there.'],
  EROFS: ['the file system is read-only', 'Choose a place that can be written to.'],
  ENOENT: ['its folder does not exist', 'Make the folder, or name another one.'],
  ENOTDIR: ['a part of its path is a file and not a folder', 'Name a file in a folder.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  ENOSPC: ['the disk is full', 'Make room on the disk, then do the same again: it goes on.'],
  EDQUOT: ['the quota of the disk is used up', 'Make room on the disk, then do the same again: it goes on.'],
  EFBIG: ['it is larger than the file system allows', 'Choose another place.'],
  ENAMETOOLONG: ['its name is too long', 'Choose a shorter name.'],
  EMFILE: ['this process has too many open files', 'Raise the limit of open files: ulimit -n 4096'],
  EIO: ['the disk does not work', 'Look into the log of the system, and choose another disk.'],
}

/** Does something with a file; what the file system refuses becomes `HV_FILE_FAILED`, which names the file and the remedy. */
export async function withFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw fileError(file, error)
  }
}

function fileError(file: string, error: unknown): unknown {
  const { code } = Object(error) as { code?: unknown }
  const reason = typeof code === 'string' ? reasons[code] : undefined
  if (reason === undefined) return error
  const [what, hint] = reason
  const message = `${file} cannot be used: ${what} (${String(code)})`
  return new HypervaultError('HV_FILE_FAILED', message, { file, reason: String(code) }, { cause: error, hint })
}
