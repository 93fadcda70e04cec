import { Kysely, Migrator, PostgresDialect, sql, type ColumnType, type Generated, type Insertable } from 'kysely'
import type { Selectable, Updateable } from 'kysely'
import Cursor from 'pg-cursor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, isHypervaultError, type Key } from '../../src/index.ts'
import { kyselyFor } from '../../src/kysely.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

/* What Kysely's own documents show, on a shard. */

interface PersonTable {
  id: Generated<number>
  first_name: string
  last_name: string | null
  gender: 'man' | 'woman' | 'other'
  created_at: ColumnType<Date, string | undefined, never>
}
interface PetTable {
  id: Generated<number>
  name: string
  owner_id: number
  species: 'cat' | 'dog'
}
interface Database {
  person: PersonTable
  pet: PetTable
}
type Person = Selectable<PersonTable>

let databases: TestDatabases
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(2)
  const [first, second] = databases.connections
  const connections = [
    { ...first, shards: '1-4' },
    { ...second, shards: '4-7' },
  ]
  await provision(connections)
  db = new Datastore({ connections, poolMax: 4 })
  for (const shardId of db.topology.shardIds) await createTables(kyselyFor<Database>(db.shard(shardId)))
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

async function createTables(kysely: Kysely<Database>): Promise<void> {
  await kysely.schema
    .createTable('person')
    .addColumn('id', 'serial', (column) => column.primaryKey())
    .addColumn('first_name', 'varchar', (column) => column.notNull())
    .addColumn('last_name', 'varchar')
    .addColumn('gender', 'varchar(50)', (column) => column.notNull())
    .addColumn('created_at', 'timestamp', (column) => column.notNull().defaultTo(sql`now()`))
    .execute()
  await kysely.schema
    .createTable('pet')
    .addColumn('id', 'serial', (column) => column.primaryKey())
    .addColumn('name', 'varchar', (column) => column.notNull())
    .addColumn('owner_id', 'integer', (column) => column.references('person.id').onDelete('cascade').notNull())
    .addColumn('species', 'varchar', (column) => column.notNull())
    .execute()
  await kysely.schema.createIndex('pet_owner').on('pet').column('owner_id').execute()
}

/** The repository of persons of the getting-started page. */
function repository(kysely: Kysely<Database>) {
  return {
    find: (id: number) => kysely.selectFrom('person').where('id', '=', id).selectAll().executeTakeFirst(),
    search: async (criteria: Partial<Person>) => {
      let query = kysely.selectFrom('person')
      if (criteria.first_name) query = query.where('first_name', '=', criteria.first_name)
      if (criteria.last_name !== undefined) {
        query = query.where('last_name', criteria.last_name === null ? 'is' : '=', criteria.last_name)
      }
      return query.selectAll().execute()
    },
    update: (id: number, change: Updateable<PersonTable>) =>
      kysely.updateTable('person').set(change).where('id', '=', id).execute(),
    create: (person: Insertable<PersonTable>) =>
      kysely.insertInto('person').values(person).returningAll().executeTakeFirstOrThrow(),
    remove: (id: number) => kysely.deleteFrom('person').where('id', '=', id).returningAll().executeTakeFirst(),
  }
}

const jennifer = { first_name: 'Jennifer', last_name: 'Aniston', gender: 'woman' } as const

describe('Kysely with the pool of a shard', () => {
  it('creates, finds, updates and deletes', async () => {
    const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool: db.shard(1).pool }) })
    const { find, search, update, create, remove } = repository(kysely)
    const { id, created_at: createdAt } = await create(jennifer)
    expect(createdAt).toBeInstanceOf(Date)
    expect(await find(id)).toMatchObject({ id, ...jennifer })
    const [updated] = await update(id, { last_name: null })
    expect(updated?.numUpdatedRows).toBe(1n)
    expect(await search({ first_name: 'Jennifer', last_name: null })).toHaveLength(1)
    expect(await remove(id)).toMatchObject({ id })
    expect(await find(id)).toBeUndefined()
    const inserted = await kysely.insertInto('person').values([jennifer, jennifer]).executeTakeFirst()
    expect(inserted.numInsertedOrUpdatedRows).toBe(2n)
  })

  it('joins, groups, and takes raw SQL', async () => {
    const kysely = kyselyFor<Database>(db.shard(2))
    const { id } = await repository(kysely).create(jennifer)
    await kysely
      .insertInto('pet')
      .values([
        { name: 'Catto', species: 'cat', owner_id: id },
        { name: 'Doggo', species: 'dog', owner_id: id },
      ])
      .execute()
    const rows = await kysely
      .selectFrom('person')
      .innerJoin('pet', 'pet.owner_id', 'person.id')
      .select(({ fn }) => ['first_name', fn.count<string>('pet.id').as('pets')])
      .groupBy('first_name')
      .having((eb) => eb.fn.count('pet.id'), '>', 1)
      .execute()
    expect(rows).toEqual([{ first_name: 'Jennifer', pets: '2' }])
    const raw = await sql<{ name: string }>`select name from pet where species = ${'cat'}`.execute(kysely)
    expect(raw.rows).toEqual([{ name: 'Catto' }])
    const withPets = kysely.with('cats', (w) => w.selectFrom('pet').where('species', '=', 'cat').selectAll())
    expect(await withPets.selectFrom('cats').select('name').execute()).toEqual([{ name: 'Catto' }])
  })

  it('commits a transaction, and rolls one back that throws', async () => {
    const kysely = kyselyFor<Database>(db.shard(3))
    const catto = await kysely.transaction().execute(async (trx) => {
      const owner = await trx.insertInto('person').values(jennifer).returning('id').executeTakeFirstOrThrow()
      return trx
        .insertInto('pet')
        .values({ owner_id: owner.id, name: 'Catto', species: 'cat' })
        .returningAll()
        .executeTakeFirstOrThrow()
    })
    expect(catto).toMatchObject({ name: 'Catto' })
    const failing = kysely
      .transaction()
      .setIsolationLevel('serializable')
      .execute(async (trx) => {
        await trx.deleteFrom('pet').execute()
        expect(await sql`show transaction_isolation`.execute(trx)).toMatchObject({
          rows: [{ transaction_isolation: 'serializable' }],
        })
        throw new Error('no')
      })
    await expect(failing).rejects.toThrow('no')
    expect(await kysely.selectFrom('pet').selectAll().execute()).toEqual([catto])
  })

  it('goes back to a savepoint in a controlled transaction', async () => {
    const kysely = kyselyFor<Database>(db.shard(4))
    const trx = await kysely.startTransaction().setIsolationLevel('repeatable read').execute()
    await trx.insertInto('person').values(jennifer).execute()
    const afterJennifer = await trx.savepoint('after_jennifer').execute()
    await expect(
      afterJennifer.insertInto('pet').values({ name: 'x', species: 'dog', owner_id: 0 }).execute(),
    ).rejects.toMatchObject({ code: '23503' })
    const back = await afterJennifer.rollbackToSavepoint('after_jennifer').execute()
    await back
      .insertInto('person')
      .values({ ...jennifer, first_name: 'Courteney' })
      .execute()
    await back.releaseSavepoint('after_jennifer').execute()
    await trx.commit().execute()
    const names = await kysely.selectFrom('person').select('first_name').orderBy('id').execute()
    expect(names.map(({ first_name: name }) => name)).toEqual(['Jennifer', 'Courteney'])
  })

  it('streams, when it is given a cursor, to the end or not', async () => {
    const kysely = kyselyFor<Database>(db.shard(5), { cursor: Cursor })
    const people = Array.from({ length: 25 }, (_, n) => ({ ...jennifer, last_name: String(n) }))
    await kysely.insertInto('person').values(people).execute()
    const names: (string | null)[] = []
    for await (const person of kysely.selectFrom('person').selectAll().orderBy('id').stream(10))
      names.push(person.last_name)
    expect(names).toEqual(people.map((person) => person.last_name))
    for await (const person of kysely.selectFrom('person').selectAll().stream(5)) {
      expect(person.gender).toBe('woman')
      break
    }
    expect(db.stats().map(({ lent }) => lent)).toEqual([0, 0])
  })

  it('keeps the statements of one connection together', async () => {
    const count = await kyselyFor<Database>(db.shard(5))
      .connection()
      .execute(async (one) => {
        await sql`create temporary table mine (n int)`.execute(one)
        return (await sql<{ n: number }>`select count(*)::int as n from mine`.execute(one)).rows[0]?.n
      })
    expect(count).toBe(0)
  })

  it('migrates, with its own tables in the schema of the shard', async () => {
    const migrations = {
      '001': {
        up: (kysely: Kysely<unknown>) => kysely.schema.createTable('toy').addColumn('id', 'serial').execute(),
      },
    }
    for (const shardId of [1, 2, 5]) {
      const shard = db.shard(shardId)
      const provider = { getMigrations: () => Promise.resolve(migrations) }
      const migrator = new Migrator({ db: kyselyFor(shard), provider, migrationTableSchema: shard.schema })
      const { error, results } = await migrator.migrateToLatest()
      expect([error, results?.[0]?.status]).toEqual([undefined, 'Success'])
      expect((await shard.query('select count(*)::int as n from toy')).rows).toEqual([{ n: 0 }])
    }
  })

  it('many at once, over all shards and few connections, each in its own', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const shardId = 1 + (n % 6)
        return kyselyFor<Database>(db.shard(shardId))
          .transaction()
          .execute(async (trx) => {
            const { id } = await repository(trx).create({ ...jennifer, first_name: `shard ${shardId}` })
            await repository(trx).update(id, { last_name: String(n) })
          })
      }),
    )
    for (const shardId of db.topology.shardIds) {
      const found = await repository(kyselyFor(db.shard(shardId))).search({ first_name: `shard ${shardId}` })
      expect(found.map((person) => Number(person.last_name) % 6)).toEqual(Array(10).fill(shardId - 1))
    }
    expect(db.stats().map(({ lent, created }) => [lent, created <= 4])).toEqual([
      [0, true],
      [0, true],
    ])
  })

  it('is let go by destroy(), which ends nothing', async () => {
    const { pool } = db.shard(6)
    const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
    await kysely.selectFrom('person').selectAll().execute()
    await kysely.destroy()
    await expect(kysely.selectFrom('person').selectAll().execute()).rejects.toThrow('destroyed')
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    expect(await kyselyFor<Database>(db.shard(6)).selectFrom('pet').selectAll().execute()).toEqual([])
    await db.put(6, 1, {})
  })
})

describe('Kysely inside a transaction of Hypervault', () => {
  it('is part of it, beside entities', async () => {
    let key: Key | undefined
    const work = db.transaction(3, async (tx) => {
      key = await tx.put(1, { name: 'Jennifer' })
      const kysely = kyselyFor<Database>(tx)
      await kysely
        .insertInto('person')
        .values({ ...jennifer, first_name: String(key) })
        .execute()
      const found = await kysely.selectFrom('person').where('first_name', '=', String(key)).selectAll().execute()
      expect(found).toHaveLength(1)
      const nested = kysely.transaction().execute(() => Promise.resolve())
      await expect(nested).rejects.toMatchObject({ code: 'HV_STATEMENT_REFUSED' })
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    const kysely = kyselyFor<Database>(db.shard(3))
    expect(await kysely.selectFrom('person').where('first_name', '=', String(key)).selectAll().execute()).toEqual([])
    expect(await db.exists(key as Key)).toBe(false)
  })

  it('is run again with it when it came in the way of another', async () => {
    const { id } = await repository(kyselyFor<Database>(db.shard(3))).create({ ...jennifer, last_name: '0' })
    const add = (): Promise<void> =>
      db.transaction(
        3,
        async (tx) => {
          const { find, update } = repository(kyselyFor<Database>(tx))
          await update(id, { last_name: String(Number((await find(id))?.last_name) + 1) })
        },
        { isolation: 'repeatable read', retry: 100 },
      )
    await Promise.all(Array.from({ length: 8 }, add))
    expect(await repository(kyselyFor<Database>(db.shard(3))).find(id)).toMatchObject({ last_name: '8' })
  })
})

it('an error of Hypervault comes through Kysely as it is', async () => {
  const failure: unknown = await kyselyFor<Database>(db.shard(77))
    .selectFrom('pet')
    .execute()
    .catch((error: unknown) => error)
  expect(isHypervaultError(failure, 'HV_SHARD_UNKNOWN')).toBe(true)
})
