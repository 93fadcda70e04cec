import { readFile } from 'node:fs/promises'
import type { Ground } from './ground.ts'

const KB_PER_MB = 1024

/**
 * Private memory in MB of the largest backend of the sessions with this `application_name`; undefined where there is no
 * `/proc` or none of them can be read.
 */
export async function readBackendMemory(ground: Ground, applicationName: string): Promise<number | undefined> {
  const text = 'select pid from pg_stat_activity where application_name = $1'
  const backends = await ground.query<{ pid: number }>(text, [applicationName])
  const sizes = await Promise.all(backends.map(({ pid }) => tryReadPrivate(pid)))
  const known = sizes.filter((size) => size !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

async function tryReadPrivate(pid: number): Promise<number | undefined> {
  try {
    return parsePrivate(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * The line `Anonymous` in MB: memory that is neither a file nor shared. `Private_Dirty` would also count those pages of
 * the shared buffers that no other process has looked at yet.
 */
export function parsePrivate(rollup: string): number {
  const [, amount] = /^Anonymous:\s+(\d+) kB$/m.exec(rollup) ?? []
  return Number(amount) / KB_PER_MB
}
