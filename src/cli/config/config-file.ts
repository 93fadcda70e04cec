import { readdirSync } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { explainFile } from '../../arguments/file-failure.ts'
import { HypervaultError } from '../../errors.ts'
import { describeLoadFailure } from '../../schema/load-failure.ts'
import { loadModule } from '../../schema/load-module.ts'
import { parseJsonText } from '../terminal/json-text.ts'

/** What a configuration file holds, not yet checked. */
export interface ConfigFile {
  readonly file: string
  readonly content: unknown
}

/** Names that are looked for, in this order, in the working folder only: a stray file further up must not pick servers. */
export const CONFIG_NAMES = ['hypervault.config.ts', 'hypervault.config.mjs', 'hypervault.config.json']

type Load = (file: string, text: string) => unknown

const loaders: Readonly<Record<string, Load>> = {
  '.ts': loadDefault,
  '.mjs': loadDefault,
  '.json': (_file, text) => parseJsonText(text),
}

/** A promise of the options will do. */
async function loadDefault(file: string): Promise<unknown> {
  return await ((await loadModule(file)) as { default?: unknown }).default
}

/**
 * Reads the file that is named, or the one that lies in the working folder; undefined if there is none.
 *
 * @throws `HV_CONFIG_NOT_FOUND` for a named file that is not there, `HV_CONFIG_INVALID` for one that cannot be read
 */
export async function readConfigFile(cwd: string, name: string | undefined): Promise<ConfigFile | undefined> {
  const file = name === undefined ? await searchFolder(cwd) : resolve(cwd, name)
  if (file === undefined) return undefined
  return { file, content: await load(file, await readText(cwd, file)) }
}

async function searchFolder(cwd: string): Promise<string | undefined> {
  for (const name of CONFIG_NAMES) {
    const file = resolve(cwd, name)
    const isThere = await lstat(file).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return undefined
}

/** Files in a folder whose names say that they are meant as the configuration, and that are not looked for. */
export function findMisnamed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\.?hypervault(rc|\.config)?\.\w+$/.test(name))
  } catch {
    return []
  }
}

async function readText(cwd: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const failure = explainFile(error, 'read')
    if (failure?.reason === 'ENOENT' || failure?.reason === 'ENOTDIR') throw await missing(cwd, file)
    if (failure === undefined) throw invalidConfig(file, (error as Error).message, error)
    throw invalidConfig(file, `it cannot be read: ${failure.what}`, error, failure.hint)
  }
}

async function missing(cwd: string, file: string): Promise<HypervaultError<'HV_CONFIG_NOT_FOUND'>> {
  const isLink = await lstat(file).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
  const what = isLink ? `${file} is a link to a file that does not exist` : `there is no configuration file ${file}`
  return new HypervaultError('HV_CONFIG_NOT_FOUND', what, { folder: cwd, file })
}

async function load(file: string, text: string): Promise<unknown> {
  const loadFile = loaders[extname(file)]
  if (loadFile === undefined) throw invalidConfig(file, 'the name must end in .ts, .mjs or .json')
  try {
    return await loadFile(file, text)
  } catch (error) {
    const { problem, hint } = describeLoadFailure(error)
    throw invalidConfig(file, problem, error, hint)
  }
}

/** The error of a configuration that is not accepted. `origin` is a file, or the name of a variable or an option. */
export function invalidConfig(
  origin: string,
  problem: string,
  cause?: unknown,
  hint?: string,
): HypervaultError<'HV_CONFIG_INVALID'> {
  const extras = { cause, ...(hint !== undefined && { hint }) }
  return new HypervaultError('HV_CONFIG_INVALID', `${origin}: ${problem}`, { file: origin }, extras)
}
