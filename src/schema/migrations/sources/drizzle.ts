import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tokensOf, type SqlToken } from '../../../sql/tokens.ts'
import { migrationInvalid, migrationUnreadable } from '../migration-error.ts'
import type { Migration } from '../migration.ts'
import { readSqlMigration } from '../sql-migration.ts'
import { readText } from './migration-files.ts'
import type { MigrationSource } from './migration-source.ts'

/** A migration of Drizzle Kit: its tag `0000_fine_odin`, and where its SQL is. */
interface DrizzleEntry {
  readonly tag: string
  readonly file: string
}

const TAG = /^(\d{4,20})_(.+)$/

/**
 * The migrations that Drizzle Kit generates, as they are: in the order of its journal, or of its folders since version 1.
 * A name that it qualifies with `"public"` means the shard's schema. A file with `concurrently` goes without a transaction.
 */
export function fromDrizzle(folder: string): MigrationSource {
  return Object.freeze({ origin: folder, folder: undefined, load: () => loadDrizzle(folder) })
}

async function loadDrizzle(folder: string): Promise<Migration[]> {
  const entries = (await listFolders(folder)).includes('meta') ? await readJournal(folder) : await listEntries(folder)
  return Promise.all(entries.map((entry) => readEntry(folder, entry)))
}

async function readEntry(folder: string, { tag, file }: DrizzleEntry): Promise<Migration> {
  const [, id = tag, name = tag] = TAG.exec(tag) ?? []
  const origin = join(folder, file)
  const text = unqualify(await readText(folder, file), origin)
  return readSqlMigration({ id, name, text, origin }, { isLenient: true })
}

async function readJournal(folder: string): Promise<DrizzleEntry[]> {
  const file = join('meta', '_journal.json')
  const journal = await readText(folder, file)
  try {
    const { dialect, entries } = JSON.parse(journal) as { dialect: string; entries: { tag: string; idx: number }[] }
    if (dialect !== 'postgresql') throw new Error(`it is for ${dialect}`)
    return entries.sort((a, b) => a.idx - b.idx).map(({ tag }) => ({ tag, file: `${tag}.sql` }))
  } catch (error) {
    throw migrationInvalid(join(folder, file), `it is no journal of Drizzle Kit: ${(error as Error).message}`, error)
  }
}

async function listEntries(folder: string): Promise<DrizzleEntry[]> {
  const tags = (await listFolders(folder)).filter((name) => TAG.test(name)).sort()
  return tags.map((tag) => ({ tag, file: join(tag, 'migration.sql') }))
}

async function listFolders(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch (error) {
    throw migrationUnreadable(folder, error)
  }
}

function unqualify(sql: string, origin: string): string {
  try {
    return withoutPublic(sql)
  } catch (error) {
    throw migrationInvalid(origin, (error as Error).message, error)
  }
}

/** Takes `"public".` off names, also inside of `do $$ … $$`; texts and comments stay as they are. */
function withoutPublic(sql: string): string {
  const tokens = [...tokensOf(sql)]
  let [result, end] = ['', 0]
  for (const [index, token] of tokens.entries()) {
    const isPrefix = token.text === '"public"' && tokens[index + 1]?.text === '.'
    const isDot = token.text === '.' && tokens[index - 1]?.text === '"public"'
    result += sql.slice(end, token.start) + (isPrefix || isDot ? '' : rewrite(token))
    end = token.end
  }
  return result + sql.slice(end)
}

function rewrite({ kind, text }: SqlToken): string {
  if (kind !== 'dollar') return text
  const tag = text.slice(0, text.indexOf('$', 1) + 1)
  return tag + withoutPublic(text.slice(tag.length, -tag.length)) + tag
}
