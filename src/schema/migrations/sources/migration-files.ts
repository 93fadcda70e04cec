import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { migrationInvalid, migrationUnreadable } from '../migration-error.ts'

const CODE_OR_SQL = /\.(?:sql|ts|mts|js|mjs)$/

/** Names of the files in a folder, ascending. Throws `HV_MIGRATION_INVALID` when it cannot be read. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    // A folder that is named like a migration is refused when it is read, and not passed over.
    return entries.flatMap((entry) => (entry.isDirectory() && !CODE_OR_SQL.test(entry.name) ? [] : [entry.name])).sort()
  } catch (error) {
    throw listError(folder, error)
  }
}

/** The text of a file. Throws `HV_MIGRATION_INVALID`. */
export async function readText(folder: string, file: string): Promise<string> {
  try {
    return await readFile(join(folder, file), 'utf8')
  } catch (error) {
    throw migrationUnreadable(join(folder, file), error)
  }
}

/** A folder that is not there may only not have been made yet. */
function listError(folder: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    return migrationInvalid(
      folder,
      'it does not exist',
      error,
      'Name the folder of the migrations, or create it: npx pg-hypervault migrate new NAME',
    )
  }
  if (code === 'ENOTDIR') {
    return migrationInvalid(folder, 'it is not a folder', error, 'Name the folder that contains the migrations.')
  }
  return migrationUnreadable(folder, error)
}
