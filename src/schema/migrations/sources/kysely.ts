import type * as KyselyPackage from 'kysely'
import type { Kysely, PostgresPool } from 'kysely'
import type { Migration, MigrationShard } from '../migration.ts'
import { CODE_FILE, readCodeFile, type RunUp } from './code-file.ts'
import { listFiles } from './migration-files.ts'
import type { MigrationSource } from './migration-source.ts'

/**
 * Migrations as Kysely has them: files that export `async function up(db: Kysely<any>)`, in the order of their names.
 * Needs the package `kysely`.
 */
export function fromKysely(folder: string): MigrationSource {
  return Object.freeze({ origin: folder, folder: undefined, load: () => loadKysely(folder) })
}

async function loadKysely(folder: string): Promise<Migration[]> {
  const files = (await listFiles(folder)).filter((file) => CODE_FILE.test(file))
  return Promise.all(files.map((file) => readFile(folder, file)))
}

function readFile(folder: string, file: string): Promise<Migration> {
  const name = file.replace(CODE_FILE, '')
  return readCodeFile({ id: name, name, folder, file }, withKysely)
}

const withKysely: RunUp = async (up, shard) => {
  const { Kysely, PostgresDialect } = await importKysely()
  const db: Kysely<unknown> = new Kysely({ dialect: new PostgresDialect({ pool: poolOf(shard) }) })
  // There is nothing to close: what the program has not awaited must come as far as the shard, which knows what to do.
  await up(db as never)
}

/** In a `try`, so that whoever bundles an application without Kysely needs not have it. */
async function importKysely(): Promise<typeof KyselyPackage> {
  try {
    return await import('kysely')
  } catch (error) {
    throw new Error('migrations of Kysely need the package kysely: npm install kysely', { cause: error })
  }
}

/** A pool of one: every client is the shard. */
function poolOf(shard: MigrationShard): PostgresPool {
  const query = (text: unknown, values?: readonly unknown[]): unknown => shard.query(text as string, values)
  const client = { query, release: () => undefined } as Awaited<ReturnType<PostgresPool['connect']>>
  return { connect: () => Promise.resolve(client), end: () => Promise.resolve() }
}
