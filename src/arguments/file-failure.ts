/** What a file system refused, in words. */
export interface FileFailure {
  /** Its code, such as `EACCES`. */
  readonly reason: string
  /** What is the matter: `it is a folder`. */
  readonly what: string
  /** What helps. */
  readonly hint: string
}

type Explanation = readonly [what: string, hint: string]

/** What a file system refuses, and what helps. */
const explanations: Readonly<Record<string, Explanation>> = {
  EACCES: ['permission is denied', 'Choose another place, or let this user read and write there.'],
  EPERM: ['it is not permitted', 'Choose another place, or let this user read and write there.'],
  EROFS: ['the file system is read-only', 'Choose a place that is writable.'],
  ENOENT: ['its folder does not exist', 'Create the folder, or name another one.'],
  ENOTDIR: ['part of its path is a file, not a folder', 'Name a file in a folder.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  EEXIST: ['it already exists', 'Remove it, or choose another name.'],
  ELOOP: ['its symbolic links form a loop', 'Correct the links, or name the file itself.'],
  ENOSPC: ['the disk is full', 'Free space on the disk, then run the same again: it continues.'],
  EDQUOT: ['the disk quota is exhausted', 'Free space on the disk, then run the same again: it continues.'],
  EFBIG: ['it is larger than the file system allows', 'Choose another place.'],
  ENAMETOOLONG: ['its name is too long', 'Choose a shorter name.'],
  EMFILE: ['this process has too many open files', 'Raise the limit of open files: ulimit -n 4096'],
  ENFILE: ['the system has too many open files', 'Raise the system limit of open files.'],
  EIO: ['the disk reports an input/output error', 'Check the system log, and choose another disk.'],
}

/** What is another matter for a file that is only read. */
const ofReading: Readonly<Record<string, Explanation>> = {
  EACCES: ['permission is denied', 'Let this user read it: chmod u+r, or chown.'],
  EPERM: ['it is not permitted', 'Let this user read it: chmod u+r, or chown.'],
  ENOENT: ['it does not exist', 'Correct the name or the folder.'],
}

/** Explains an error of the file system; undefined for any other. */
export function explainFile(error: unknown, use: 'read' | 'write' = 'write'): FileFailure | undefined {
  const { code } = Object(error) as { code?: unknown }
  if (typeof code !== 'string') return undefined
  const explanation = (use === 'read' ? ofReading[code] : undefined) ?? explanations[code]
  return explanation && { reason: code, what: explanation[0], hint: explanation[1] }
}
