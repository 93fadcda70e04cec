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
    return sumPrivate(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))
  } catch {
    return undefined
  }
}

/** Sum of the lines `Private_Clean` and `Private_Dirty` in MB. */
export function sumPrivate(rollup: string): number {
  const amounts = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map(([, amount]) => Number(amount))
  return amounts.reduce((sum, amount) => sum + amount, 0) / KB_PER_MB
}
