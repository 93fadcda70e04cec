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
  EROFS: ['the file system is read-only', 'Choose a place that can be written to.'],
  ENOENT: ['its folder does not exist', 'Make the folder, or name another one.'],
  ENOTDIR: ['a part of its path is a file and not a folder', 'Name a file in a folder.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  EEXIST: ['it is there already', 'Remove it, or choose another name.'],
  ELOOP: ['its links lead in a circle', 'Correct the links, or name the file itself.'],
  ENOSPC: ['the disk is full', 'Make room on the disk, then do the same again: it goes on.'],
  EDQUOT: ['the quota of the disk is used up', 'Make room on the disk, then do the same again: it goes on.'],
  EFBIG: ['it is larger than the file system allows', 'Choose another place.'],
  ENAMETOOLONG: ['its name is too long', 'Choose a shorter name.'],
  EMFILE: ['this process has too many open files', 'Raise the limit of open files: ulimit -n 4096'],
  ENFILE: ['the system has too many open files', 'Raise the limit of open files of the system.'],
  EIO: ['the disk does not work', 'Look into the log of the system, and choose another disk.'],
}

/** What is another matter for a file that is only read. */
const ofReading: Readonly<Record<string, Explanation>> = {
  EACCES: ['permission is denied', 'Let this user read it: chmod u+r, or chown.'],
  EPERM: ['it is not permitted', 'Let this user read it: chmod u+r, or chown.'],
  ENOENT: ['it is not there', 'Correct the name, or the folder that it is looked for in.'],
}

/** Explains an error of the file system; undefined for any other. */
export function explainFile(error: unknown, use: 'read' | 'write' = 'write'): FileFailure | undefined {
  const { code } = Object(error) as { code?: unknown }
  if (typeof code !== 'string') return undefined
  const explanation = (use === 'read' ? ofReading[code] : undefined) ?? explanations[code]
  return explanation && { reason: code, what: explanation[0], hint: explanation[1] }
}
