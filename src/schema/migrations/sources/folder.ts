import type { Migration } from '../migration.ts'
import { migrationInvalid } from '../migration-error.ts'
import { readSqlMigration } from '../sql-migration.ts'
import { CODE_FILE, readCodeFile, type RunUp } from './code-file.ts'
import { listFiles, readText } from './migration-files.ts'
import type { MigrationSource } from './migration-source.ts'

/** `0042_add_email.sql`: the id, the name, the ending. */
const NAME = /^(\d{4,20})_([A-Za-z0-9][A-Za-z0-9_.-]{0,99})\.(?:sql|ts|mts|js|mjs)$/

const MIGRATION_FILE = /\.(?:sql|(?<!\.d\.)(?:ts|mts|js|mjs))$/

const withShard: RunUp = async (up, shard) => {
  await up(shard as never)
}

/**
 * Migrations in a folder: `0001_name.sql`, or a TypeScript file that exports `async function up(shard)`. They run in the
 * order of their numbers.
 */
export function fromFolder(folder: string): MigrationSource {
  return Object.freeze({ origin: folder, folder, load: () => loadFolder(folder) })
}

/** The number after the highest in a folder, with the same number of digits: `0043`. */
export async function nextId(folder: string): Promise<string> {
  const ids = (await listFiles(folder)).flatMap((file) => NAME.exec(file)?.[1] ?? [])
  const last = ids.sort(compareIds).at(-1) ?? '0000'
  return String(BigInt(last) + 1n).padStart(last.length, '0')
}

async function loadFolder(folder: string): Promise<Migration[]> {
  const files = (await listFiles(folder)).filter((file) => MIGRATION_FILE.test(file))
  const misnamed = files.filter((file) => !NAME.test(file))
  if (misnamed.length > 0) throw migrationInvalid(folder, `name it like 0001_name.sql: ${misnamed.join(', ')}`)
  const migrations = await Promise.all(files.map((file) => readFile(folder, file)))
  return migrations.sort((a, b) => compareIds(a.id, b.id))
}

async function readFile(folder: string, file: string): Promise<Migration> {
  const [, id = '', name = ''] = NAME.exec(file) ?? []
  if (CODE_FILE.test(file)) return readCodeFile({ id, name, folder, file }, withShard)
  return readSqlMigration({ id, name, text: await readText(folder, file), origin: `${folder}/${file}` })
}

function compareIds(a: string, b: string): number {
  return Number(BigInt(a) - BigInt(b)) || a.length - b.length
}
