import { readFile } from 'node:fs/promises'

/** Place of the start in `/proc/…/stat` behind the name of the program, which may hold anything; see proc(5). */
const START_FIELD = 19

/**
 * When a process was started, as Linux counts it, together with the boot: two processes that have the same number one after
 * the other differ in it. Undefined where that cannot be read, as on other systems.
 */
export async function findProcessStart(pid: number): Promise<string | undefined> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_FIELD]
    return start === undefined ? undefined : `${boot.trim()} ${start}`
  } catch {
    return undefined
  }
}
