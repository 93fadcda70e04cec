import { readFileSync } from 'node:fs'

/** Who runs the PostgreSQL programs: nothing set means the user of this Node.js. */
export interface Identity {
  readonly uid?: number
  readonly gid?: number
}

/**
 * The user `nobody` when this is root, because PostgreSQL refuses to run as root; else the user itself. It must be in
 * the password file: initdb refuses a uid without a name.
 */
export function getUnprivilegedIdentity(): Identity {
  if (process.getuid?.() !== 0) return {}
  const [, , uid, gid] = findPasswordEntry('nobody')
  return { uid: toUnsigned(uid), gid: toUnsigned(gid) }
}

function findPasswordEntry(name: string): string[] {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const entry = lines.find((line) => line.startsWith(`${name}:`))
  if (entry === undefined) throw new Error(`PostgreSQL cannot run as root, and there is no user '${name}' to run it as`)
  return entry.split(':')
}

// macOS writes the uid of nobody as -2.
function toUnsigned(id: string | undefined): number {
  return Number(id) >>> 0
}
