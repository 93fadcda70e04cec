import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { migrationInvalid } from '../migration-error.ts'

/** Names of the files in a folder, ascending. Throws `HV_MIGRATION_INVALID` when it cannot be read. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort()
  } catch (error) {
    throw migrationInvalid(folder, describe(error), error)
  }
}

/** The text of a file. Throws `HV_MIGRATION_INVALID`. */
export async function readText(folder: string, file: string): Promise<string> {
  try {
    return await readFile(join(folder, file), 'utf8')
  } catch (error) {
    throw migrationInvalid(join(folder, file), describe(error), error)
  }
}

function describe(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'it is not there'
  return code === 'ENOTDIR' ? 'it is not a folder' : (error as Error).message
}
