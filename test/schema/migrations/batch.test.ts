import { describe, expect, it } from 'vitest'
import type { SqlMigration } from '../../../src/schema/migrations/migration.ts'
import { batchSql } from '../../../src/schema/migrations/run/batch-sql.ts'
import { rejectionOf, withClient } from '../servers.ts'
import { makeMigrations, type MigrationFolder } from './migration-folder.ts'

const limits = { lockTimeoutMs: 60_000, statementTimeoutMs: 60_000 }

/** Runs a statement in shards, in one text. */
function runTogether({ connections }: MigrationFolder, shardIds: readonly number[], text: string): Promise<unknown> {
  const migration = { kind: 'sql', id: '0001', name: 'together', checksum: 'c', text } as unknown as SqlMigration
  const sql = batchSql({ migration, shardIds, hstoreSchema: 'public' }, limits)
  return withClient(connections[0], (client) => client.query(sql))
}

describe('a transaction with several shards', () => {
  it('notes for each shard its share of the time that it took', async () => {
    await using made = await makeMigrations({}, '1-5')
    const startedAt = performance.now()
    await runTogether(made, [1, 2, 3, 4], 'select pg_sleep(0.1)')
    const elapsedMs = performance.now() - startedAt
    for (const shardId of [1, 2, 3, 4]) {
      const sql = `select took_ms from $shard.hv_migrations where id = '0001'`
      const [row] = await made.rows<{ took_ms: number }>(shardId, sql)
      expect(row?.took_ms).toBeGreaterThanOrEqual(100)
      expect(row?.took_ms).toBeLessThanOrEqual(elapsedMs / shardId + 1)
    }
  })

  it('does nothing when one of the schemas is not there, not even in public', async () => {
    await using made = await makeMigrations({}, '1-4')
    await made.rows(1, 'create table public.entities_of_all (); drop schema shard0003 cascade')
    const error = await rejectionOf(
      runTogether(made, [1, 2, 3], 'alter table if exists entities_of_all add column a int'),
    )
    expect(error).toMatchObject({ code: '3F000', message: 'schema "shard0003" does not exist' })
    const columns = `select from pg_attribute where attrelid = 'public.entities_of_all'::regclass and attnum > 0`
    expect(await made.rows(1, columns)).toEqual([])
  })
})
