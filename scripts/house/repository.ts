import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A path inside the repository. */
export function inRoot(...names: string[]): string {
  return join(root, ...names)
}

/** The text of a file inside the repository. */
export function readText(...names: string[]): string {
  return readFileSync(inRoot(...names), 'utf8')
}
