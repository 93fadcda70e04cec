import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { Watcher } from '../../src/embedded/watcher.ts'

/** Makes a folder with this name and a random end, which is gone after the run however the run ends. */
export function makeTemporaryFolder(name: string, parent?: string): string {
  const path = mkdtempSync(join(parent ?? inject('temporaryFolder'), `${name}-`))
  if (parent !== undefined) new Watcher(path)
  return path
}
