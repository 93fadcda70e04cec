import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { QueryResultRow } from 'pg'
import { Datastore } from '../../../src/datastore/datastore.ts'
import { shardSchema } from '../../../src/key/shard-id.ts'
import { provision } from '../../../src/schema/provision.ts'
import type { ConnectionEntry } from '../../../src/topology/connection-entry.ts'
import { createDatabases } from '../../support/databases.ts'
import { makeTemporaryFolder } from '../../support/temporary-folder.ts'
import { entriesOf, withClient } from '../servers.ts'

/** Files of migrations by their names. */
export type Files = Readonly<Record<string, string>>

/** Shards on fresh databases, a datastore of them, and a folder of migrations. */
export interface MigrationFolder extends AsyncDisposable {
  readonly folder: string
  readonly db: Datastore
  readonly connections: readonly ConnectionEntry[]
  /** Writes further files, or others in the place of those that are there; `undefined` removes one. */
  write(files: Readonly<Record<string, string | undefined>>): Promise<void>
  /** Rows of a statement on the server of a shard, with the schema of the shard for `$shard`. */
  rows<R extends QueryResultRow>(shardId: number, sql: string): Promise<R[]>
}

/** What has run in a shard, as its table says. */
export interface AppliedRow {
  id: string
  took_ms: number | null
}

/** Makes databases with shards, one for each range, and a folder with files. */
export async function makeMigrations(files: Files, ...ranges: string[]): Promise<MigrationFolder> {
  const databases = await createDatabases(ranges.length)
  const connections = entriesOf(databases, ...ranges)
  await provision(connections)
  const folder = makeTemporaryFolder('migrations')
  const db = new Datastore({ connections, migrations: folder })
  const made: MigrationFolder = {
    folder,
    db,
    connections,
    write: (given) => writeFiles(folder, given),
    rows: async <R extends QueryResultRow>(shardId: number, sql: string) => {
      const index = db.topology.servers.indexOf(db.topology.getServer(shardId))
      return withClient(databases.connections[index], async (client) => {
        return (await client.query<R>(sql.replaceAll('$shard', shardSchema(shardId)))).rows
      })
    },
    [Symbol.asyncDispose]: async () => {
      await db.disconnect()
      await databases.drop()
    },
  }
  await made.write(files)
  return made
}

/** The ids of what has run in each of these shards, built-in ones left out; one that is not done ends in `?`. */
export async function appliedIn({ rows, db }: MigrationFolder, shardIds = db.topology.shardIds): Promise<string[]> {
  const sql = 'select id, took_ms from $shard.hv_migrations order by applied_at, id'
  const all = await Promise.all(shardIds.map((shardId) => rows<AppliedRow>(shardId, sql)))
  return all.map((applied) =>
    applied
      .filter(({ id }) => !id.startsWith('hv'))
      .map(({ id, took_ms }) => (took_ms === null ? `${id}?` : id))
      .join(' '),
  )
}

/** Names of the indexes of all shards that are not valid. */
export async function invalidIndexes({ rows, db }: MigrationFolder): Promise<string[]> {
  const sql = 'select indexrelid::regclass::text as name from pg_index where not indisvalid'
  const all = await Promise.all(
    db.topology.servers.map(({ shardIds: [first = 0] }) => rows<{ name: string }>(first, sql)),
  )
  return all.flat().map(({ name }) => name)
}

async function writeFiles(folder: string, files: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    if (content === undefined) await rm(path)
    else await writeFile(path, content)
  }
}
