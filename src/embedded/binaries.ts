import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HypervaultError } from '../errors.ts'
import { getNativeFolder } from './npm-package.ts'
import { assertPostgresVersion, defaultVersion } from './postgres-version.ts'

/** Where the programs of one PostgreSQL version are. */
export type Binaries =
  | { readonly source: 'package'; readonly version: number; readonly nativeFolder: string }
  | { readonly source: 'folder'; readonly version: number; readonly binFolder: string }

/**
 * Finds the binaries: in the folder that the environment variable `HYPERVAULT_PG_BIN` names, else in a package from npm.
 * Without a version it is that of the folder, or 18.
 *
 * @throws HypervaultError HV_EMBEDDED_MISSING when there are none, or the folder has another version than asked for
 */
export async function findBinaries(version?: number): Promise<Binaries> {
  if (version !== undefined) assertPostgresVersion(version)
  const binFolder = process.env['HYPERVAULT_PG_BIN']
  if (binFolder) return await inspectFolder(binFolder, version)
  const wanted = version ?? defaultVersion
  return { source: 'package', version: wanted, nativeFolder: getNativeFolder(wanted) }
}

async function inspectFolder(binFolder: string, wanted: number | undefined): Promise<Binaries> {
  const version = await tryReadVersion(binFolder)
  if (version === undefined) throw mismatch(wanted, `HYPERVAULT_PG_BIN=${binFolder} has no postgres that runs`)
  if (wanted !== undefined && wanted !== version)
    throw mismatch(wanted, `HYPERVAULT_PG_BIN=${binFolder} has PostgreSQL ${version}, not ${wanted}`)
  return { source: 'folder', version, binFolder }
}

async function tryReadVersion(binFolder: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)(join(binFolder, 'postgres'), ['--version'])
    return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1])
  } catch {
    return undefined
  }
}

function mismatch(wanted: number | undefined, message: string): HypervaultError {
  const details = { version: wanted ?? defaultVersion, platform: `${process.platform}-${process.arch}` }
  const hint = 'Set HYPERVAULT_PG_BIN to a folder with initdb and postgres of that version, or unset it.'
  return new HypervaultError('HV_EMBEDDED_MISSING', message, details, { hint })
}
