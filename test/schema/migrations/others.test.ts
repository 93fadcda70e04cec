import type { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { Datastore } from '../../../src/datastore/datastore.ts'
import type { HypervaultError } from '../../../src/errors.ts'
import { findFreePort } from '../../../src/embedded/free-port.ts'
import { startCluster } from '../../../src/embedded/start-cluster.ts'
import { provision } from '../../../src/schema/provision.ts'
import { createDatabases } from '../../support/databases.ts'
import { until } from '../../support/until.ts'
import { entriesOf, rowsOf, withClient } from '../servers.ts'
import { appliedIn, invalidIndexes, makeMigrations, type MigrationFolder } from './migration-folder.ts'

const notes = 'create table notes (id bigint primary key default next_id(), text text);'
const column = 'alter table entities add column flag integer;'
const index = '-- hypervault: no-transaction\ncreate index concurrently notes_text on notes (text);'

function failuresOf(error: unknown): HypervaultError<'HV_MIGRATION_FAILED'>['details']['failures'] {
  return (error as HypervaultError<'HV_MIGRATION_FAILED'>).details.failures
}

/** Holds a transaction open in shard 2 that has read its entities, for the time of `work`. */
async function whileRead({ connections }: MigrationFolder, work: (client: Client) => Promise<void>): Promise<void> {
  await withClient(connections[0], async (client) => {
    await client.query('begin; select from shard0002.entities')
    await work(client)
    await client.query('rollback')
  })
}

describe('migrations beside others', () => {
  it('wait for a lock only briefly, let writers pass in between, and do the other shards meanwhile', async () => {
    await using made = await makeMigrations({ '0001_column.sql': column }, '1-6')
    await whileRead(made, async (client) => {
      const up = made.db.migrations.up({ canary: [], waves: [1] })
      await until('the others are done', async () =>
        (await appliedIn(made, [1, 3, 4, 5])).every((ids) => ids === '0001'),
      )
      // It would wait until the end of the transaction if the migration waited on.
      const key = await made.db.put(2, 1, { still: 'written' })
      expect(await made.db.get(key)).toMatchObject({ body: { still: 'written' } })
      expect(await appliedIn(made, [2])).toEqual([''])
      await client.query('commit')
      await up
    })
    expect(await appliedIn(made)).toEqual(Array(5).fill('0001'))
  })

  it('give a shard up whose lock they do not get within the budget, and tell who has it', async () => {
    await using made = await makeMigrations({ '0001_column.sql': column }, '1-4')
    await whileRead(made, async () => {
      const options = { lockBudgetMs: 0, lockTimeoutMs: 10, canary: [] }
      const error = await made.db.migrations.up(options).catch((reason: unknown) => reason)
      expect(failuresOf(error)).toMatchObject([{ shardId: 2, code: 'HV_SERVER_BUSY' }])
      expect(failuresOf(error)[0]?.message).toMatch(/^shard 2 waited .* for .*pid \d+ \(.*idle in transaction/)
    })
    expect(await appliedIn(made)).toEqual(['0001', '', '0001'])
  })

  it('share the work with another run at the same time, and nothing runs twice', async () => {
    const files = {
      '0001_notes.sql': notes,
      '0002_fill.sql': 'insert into notes default values',
      '0003_index.sql': index,
    }
    await using made = await makeMigrations(files, '1-30', '30-50')
    const runs = await Promise.all([1, 2, 3].map(() => made.db.migrations.up({ canary: [], waves: [1] })))
    const ran = runs.flatMap(({ migrations }) => migrations.map(({ shardIds }) => shardIds.length))
    expect(ran.reduce((sum, count) => sum + count, 0)).toBe(3 * 49)
    expect(await appliedIn(made)).toEqual(Array(49).fill('0001 0002 0003'))
    for (const shardId of [1, 17, 49]) expect(await made.rows(shardId, 'select from $shard.notes')).toHaveLength(1)
    expect(await invalidIndexes(made)).toEqual([])
  })

  it('look again at the shards whose connection was lost, and nothing runs twice', async () => {
    const files = {
      '0001_notes.sql': notes,
      '0002_fill.sql': 'insert into notes default values',
      '0003_index.sql': index,
    }
    await using made = await makeMigrations(files, '1-60')
    let cuts = 0
    const cut = (): void => {
      cuts += 1
      if (cuts > 6) return
      void made.rows(
        1,
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
    }
    await made.db.migrations.up({
      canary: [],
      waves: [1],
      onProgress: ({ done }) => (done > cuts * 20 ? cut() : undefined),
    })
    expect(cuts).toBeGreaterThan(3)
    expect(await appliedIn(made)).toEqual(Array(59).fill('0001 0002 0003'))
    for (const shardId of [1, 20, 40, 59]) expect(await made.rows(shardId, 'select from $shard.notes')).toHaveLength(1)
    expect(await invalidIndexes(made)).toEqual([])
  })

  it('wait while a server is busier than they may make it, and stop when that does not end', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-20')
    await withClient(made.connections[0], async (holder) => {
      await holder.query('begin; lock table shard0019.entities')
      await withClient(made.connections[0], async (waiter) => {
        const waits = waiter.query('select from shard0019.entities')
        await until('it waits', async () => {
          return (
            (
              await rowsOf(
                made.connections[0],
                `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
              )
            ).length === 1
          )
        })
        const options = { maxLockWaits: 0, paceTimeoutMs: 0, waves: [0.5, 1] }
        const error = await made.db.migrations.up(options).catch((reason: unknown) => reason)
        expect((error as HypervaultError<'HV_MIGRATION_FAILED'>).details).toMatchObject({
          failures: [],
          stopped: 'server s1: 1 sessions wait for locks, more than 0',
        })
        await holder.query('rollback')
        await waits
      })
    })
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(Array(19).fill('0001'))
  })

  it('of servers that are up are done while one is down, which is told at the end', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-4')
    const down = { shards: '4-8', host: '127.0.0.1', port: await findFreePort(), database: 'x', user: 'x' }
    await using db = new Datastore({ connections: [...made.connections, down], migrations: made.folder })
    const error = await db.migrations.up({ connectTimeoutMs: 2_000 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'HV_MIGRATION_FAILED',
      details: {
        failures: [{ serverId: 's2', code: 'HV_CONNECT_FAILED' }],
        completed: [1, 2, 3],
        left: [4, 5, 6, 7],
      },
    })
    expect(failuresOf(error)[0]).not.toHaveProperty('shardId')
    expect((await db.migrations.plan()).unreachable).toMatchObject([{ serverId: 's2' }])
    expect((await db.migrations.status()).servers[1]?.problem).toContain('could not connect to server s2')
    await expect(db.migrations.assertAt('0001')).rejects.toMatchObject({
      code: 'HV_MIGRATION_BEHIND',
      details: { behind: [], unreachable: ['s2'] },
    })
  })

  it('go on with a server that goes down in the middle and comes again', async () => {
    await using cluster = await startCluster({ servers: 2, shards: '1-41' })
    await using made = await makeMigrations({ '0001_notes.sql': notes, '0002_index.sql': index }, '50-51')
    await using db = new Datastore({ connections: cluster.connections, migrations: made.folder })
    const [, second] = cluster.servers
    let again: Promise<unknown> | undefined
    await db.migrations.up({
      connectTimeoutMs: 60_000,
      onProgress: ({ done }) => {
        if (done > 20) again ??= second?.kill().then(() => second.startAgain())
      },
    })
    await again
    expect((await db.migrations.status()).migrations.map(({ shards }) => shards)).toEqual([40, 40, 40])
  })
})

describe('new shards', () => {
  const files = { '0001_notes.sql': notes, '0002_index.sql': index, '0003_column.sql': column }

  it('begin with every migration, and those in use are left as they are', async () => {
    await using made = await makeMigrations(files, '1-3')
    await using databases = await createDatabases(1)
    const connections = [{ ...made.connections[0], shards: '1-6' }, ...entriesOf(databases, '6-9')]
    await provision(connections, { migrations: made.folder })
    await using db = new Datastore({ connections, migrations: made.folder })
    const { servers } = await db.migrations.status()
    expect(servers.flatMap(({ shards }) => shards.map(({ version }) => version))).toEqual([
      'hv0001_shard',
      'hv0001_shard',
      ...Array<string>(6).fill('0003_column'),
    ])
  })

  it('are brought up by the next call when the first one did not come to that', async () => {
    await using made = await makeMigrations(files, '1-2')
    await using databases = await createDatabases(1)
    const connections = entriesOf(databases, '2-5')
    await made.write({ '0002_bad.sql': 'select nothing', '0002_index.sql': undefined })
    await expect(provision(connections, { migrations: made.folder })).rejects.toMatchObject({
      code: 'HV_MIGRATION_FAILED',
    })
    await made.write({ '0002_index.sql': index, '0002_bad.sql': undefined })
    await provision(connections, { migrations: made.folder })
    await using db = new Datastore({ connections, migrations: made.folder })
    await db.migrations.assertAt('0003')
    await made.write({ '0004_later.sql': 'select 4' })
    await provision(connections, { migrations: made.folder })
    await expect(db.migrations.assertAt('0004')).rejects.toMatchObject({ code: 'HV_MIGRATION_BEHIND' })
  })

  it('stop short of a breaking migration that those in use lack', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-2')
    await made.db.migrations.up()
    await made.write({ '0002_b.sql': '-- hypervault: breaking\nselect 2' })
    const connections = [{ ...made.connections[0], shards: '1-3' }]
    await provision(connections, { migrations: made.folder })
    await using db = new Datastore({ connections, migrations: made.folder })
    const [server] = (await db.migrations.status()).servers
    expect(server?.shards.map(({ version }) => version)).toEqual(['0001_notes', '0001_notes'])
  })

  it('are not made when the files cannot be read', async () => {
    await using made = await makeMigrations({ '0001_bad.sql': '--' }, '1-2')
    await using databases = await createDatabases(1)
    const connections = entriesOf(databases, '2-5')
    await expect(provision(connections, { migrations: made.folder })).rejects.toMatchObject({
      code: 'HV_MIGRATION_INVALID',
    })
    expect(await rowsOf(connections[0], `select from pg_namespace where nspname like 'shard%'`)).toEqual([])
  })
})
