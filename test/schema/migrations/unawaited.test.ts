import { describe, expect, it } from 'vitest'
import { fromKysely } from '../../../src/schema/migrations/sources/kysely.ts'
import { appliedIn, makeMigrations } from './migration-folder.ts'

const ahead = `await shard.query('create table t ()')`
const slow = `shard.query('select pg_sleep(0.05)')`

describe('a migration that returns before all of its statements have ended', () => {
  it.each<[string, string, string]>([
    ['forgets an await', `${ahead}; shard.query('insert into t default values')`, 'HV_MIGRATION_UNAWAITED'],
    [
      'forgets an await in a loop',
      `${ahead}; [1, 2].forEach(async () => { await ${slow}; await ${slow} })`,
      'HV_MIGRATION_UNAWAITED',
    ],
    ['forgets the await of what fails', `${ahead}; shard.query('select nothing')`, 'HV_MIGRATION_UNAWAITED'],
    [
      'sends behind what it does not await',
      `${ahead}; ${slow}.then(() => shard.query('drop table t'))`,
      'HV_MIGRATION_UNAWAITED',
    ],
    [
      'waits for the first of many',
      `${ahead}; await Promise.race([${slow}, shard.query('select 1')])`,
      'HV_MIGRATION_UNAWAITED',
    ],
    [
      'begins a Kysely statement',
      `db.schema.createTable('k').addColumn('n', 'integer').execute()`,
      'HV_MIGRATION_UNAWAITED',
    ],
  ])('%s, is not recorded as done, and leaves nothing', async (_, body, code) => {
    const argument = body.startsWith('db.') ? 'db' : 'shard'
    await using made = await makeMigrations(
      { '0001_bad.js': `export async function up(${argument}) { ${body} }` },
      '1-2',
    )
    const migrations = argument === 'db' ? fromKysely(made.folder) : undefined
    await expect(made.db.migrations.up(migrations && { migrations })).rejects.toMatchObject({
      code: 'HV_MIGRATION_FAILED',
      details: { failures: [{ shardId: 1, code }] },
    })
    expect(await appliedIn(made)).toEqual([''])
    expect(await made.rows(1, `select to_regclass('$shard.t') as t, to_regclass('$shard.k') as k`)).toEqual([
      { t: null, k: null },
    ])
  })

  it('and throws, is rolled back behind them all', async () => {
    const body = `${ahead}; await Promise.all([${slow}.then(() => shard.query('select 1')), Promise.reject(new Error('early'))])`
    await using made = await makeMigrations({ '0001_bad.js': `export async function up(shard) { ${body} }` }, '1-2')
    await expect(made.db.migrations.up()).rejects.toMatchObject({ details: { failures: [{ message: 'early' }] } })
    expect(await made.rows(1, `select to_regclass('$shard.t') as t`)).toEqual([{ t: null }])
  })

  it('and has no transaction, is not recorded as done, also when the statement has ended by then', async () => {
    const up = `shard.query('select nothing'); await shard.query('select pg_sleep(0.05)')`
    const file = `// hypervault: no-transaction\nexport async function up(shard) { ${up} }`
    await using made = await makeMigrations({ '0001_bad.js': file }, '1-2')
    await expect(made.db.migrations.up()).rejects.toMatchObject({
      details: { failures: [{ message: 'column "nothing" does not exist' }] },
    })
    expect(await appliedIn(made)).toEqual([''])
  })
})

describe('a transaction whose work returns before its operations have ended', () => {
  it.each<[string, (tx: never) => void]>([
    [
      'sends more behind them',
      (tx: Tx) =>
        void tx
          .find()
          .then(() => tx.put(1, {}))
          .catch(() => undefined),
    ],
    ['fails in one of them', (tx: Tx) => void tx.query('select nothing').catch(() => undefined)],
    ['gives one of them what it refuses', (tx: Tx) => void tx.put(1, { a: 5 } as never).catch(() => undefined)],
  ] as [string, (tx: never) => void][])('is rolled back when it %s', async (_, forget) => {
    await using made = await makeMigrations({}, '1-2')
    const work = made.db.transaction(1, async (tx) => {
      await tx.put(1, { first: 'yes' })
      forget(tx as never)
    })
    await expect(work).rejects.toThrow()
    expect((await made.db.count()).total).toBe(0)
  })
})

type Tx = Parameters<Parameters<Awaited<ReturnType<typeof makeMigrations>>['db']['transaction']>[1]>[0]
