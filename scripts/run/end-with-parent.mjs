/*
 * Loaded with --import into the first process of a group: ends the whole group when scripts/run.mjs is gone without a
 * word (SIGKILL). The variable is taken out of the environment, because the group's further processes have other parents.
 */

import { setInterval } from 'node:timers'

const pollMs = 250

const parent = Number(process.env.HYPERVAULT_RUN_PID)
delete process.env.HYPERVAULT_RUN_PID

if (parent > 0) {
  const timer = setInterval(() => {
    if (process.ppid !== parent) process.kill(-process.pid, 'SIGKILL')
  }, pollMs)
  timer.unref()
}
