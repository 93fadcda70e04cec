import { access, readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { lilconfig } from 'lilconfig'
import { HypervaultError } from '../errors.ts'
import { loadModule } from '../schema/load-module.ts'
import { parseJsonText } from './json-text.ts'

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

async function loadDefault(file: string): Promise<unknown> {
  return ((await loadModule(file)) as { default?: unknown }).default
}

/**
 * Reads the file that is named, or the one that lies in the working folder; undefined if there is none.
 *
 * @throws `HV_CONFIG_NOT_FOUND` for a named file that is not there, `HV_CONFIG_INVALID` for one that cannot be read
 */
export async function readConfigFile(cwd: string, name: string | undefined): Promise<ConfigFile | undefined> {
  if (name === undefined) return searchFolder(cwd)
  const file = resolve(cwd, name)
  await assertThere(cwd, file)
  return { file, content: await load(file, () => readFile(file, 'utf8')) }
}

async function searchFolder(cwd: string): Promise<ConfigFile | undefined> {
  const searcher = lilconfig('hypervault', {
    searchPlaces: CONFIG_NAMES,
    stopDir: cwd,
    ignoreEmptySearchPlaces: false,
    loaders: Object.fromEntries(Object.keys(loaders).map((ending) => [ending, (file: string) => file])),
  })
  const found = await searcher.search(cwd)
  if (found === null) return undefined
  const { filepath } = found
  return { file: filepath, content: await load(filepath, () => readFile(filepath, 'utf8')) }
}

async function load(file: string, read: () => Promise<string>): Promise<unknown> {
  const loadFile = loaders[extname(file)]
  if (loadFile === undefined) throw invalidConfig(file, 'the name must end in .ts, .mjs or .json')
  try {
    return await loadFile(file, await read())
  } catch (error) {
    throw invalidConfig(file, describeFailure(error), error)
  }
}

async function assertThere(cwd: string, file: string): Promise<void> {
  try {
    await access(file)
  } catch {
    throw new HypervaultError('HV_CONFIG_NOT_FOUND', `there is no configuration file ${file}`, { folder: cwd, file })
  }
}

/** The error of a configuration that is not accepted. `origin` is a file, or the name of a variable or an option. */
export function invalidConfig(origin: string, problem: string, cause?: unknown): HypervaultError<'HV_CONFIG_INVALID'> {
  return new HypervaultError('HV_CONFIG_INVALID', `${origin}: ${problem}`, { file: origin }, { cause })
}

/** Further lines of a compiler's message may quote the file, which may hold passwords: of them only the place is told. */
function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const [first = '', ...others] = message.split('\n')
  const line = /:(\d+):\d+$/m.exec(others.join('\n'))?.[1]
  return line === undefined ? first : `${first.trim()} in line ${line}`
}
