import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { escapeIdentifier } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { Key } from '../../src/key/key.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { entriesOf, rowsOf } from '../schema/servers.ts'

/*
 * An application may give `entities` further columns, and call them what it likes: also by the names that the statements
 * over that table use for themselves. All of those are looked up in the source, so that later ones are tried as well.
 */

/** Names of columns that each table has, and so cannot be given to another. */
const taken = new Set(['id', 'type', 'body', 'updated', 'tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'])

async function findNames(): Promise<string[]> {
  const texts = await Promise.all(
    ['entity', 'pool', 'shard', 'key', 'topology', 'hstore'].map(async (layer) => {
      const folder = join(import.meta.dirname, '../../src', layer)
      const files = await readdir(folder, { recursive: true })
      return Promise.all(
        files.filter((file) => file.endsWith('.ts')).map((file) => readFile(join(folder, file), 'utf8')),
      )
    }),
  )
  const found = texts
    .flat()
    .flatMap((text) => [...text.matchAll(/(?:\b(?:as|with|from|join) |, |\()([a-z_][a-z_\d]*)\b(?!\()/g)])
  return [...new Set(found.map(([, name = '']) => name))].filter((name) => !taken.has(name)).sort()
}

let databases: TestDatabases
let db: Datastore
let names: string[]

beforeAll(async () => {
  names = await findNames()
  databases = await createDatabases(1)
  const connections = entriesOf(databases, '1-4')
  await provision(connections)
  // Of three types: as a text, as a number that says "false", and as something that no function takes.
  for (const [shardId, type] of ['text default $$x$$', 'bigint default 0', 'point[]'].entries()) {
    const columns = names.map((name) => `add column ${escapeIdentifier(name)} ${type}`)
    await rowsOf(databases.connections[0], `alter table shard000${shardId + 1}.entities ${columns.join(', ')}`)
  }
  db = new Datastore({ connections })
})

afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

it('many names are found, those of the statements of changes and loads among them', () => {
  expect(names.length).toBeGreaterThan(60)
  expect(names).toEqual(expect.arrayContaining(['hv_id', 'hv_body', 'stored', 'entity', 'given', 'kept']))
})

describe.each([1, 2, 3])('with columns of such names in shard %i', (shardId) => {
  const [ada, bob] = [{ name: 'Ada' }, { name: 'Bob' }]
  const read = async (keys: readonly Key[]): Promise<unknown[]> =>
    (await db.getMany(keys)).map((entity) => entity?.body)

  it('entities are put and read, alone, together and many at once', async () => {
    const keys = await Promise.all([db.put(shardId, 1, ada), db.put(shardId, 1, bob)])
    expect(await Promise.all(keys.map(async (key) => (await db.get(key))?.body))).toEqual([ada, bob])
    const many = await db.putMany(shardId, 2, [ada, bob])
    expect(await read(many)).toEqual([ada, bob])
    expect(await Promise.all(many.map((key) => db.exists(key)))).toEqual([true, true])
  })

  it('changes are made, and refused when their condition does not hold', async () => {
    const keys = await db.putMany(shardId, 3, [ada, bob, ada])
    const [first, second, third] = keys as [Key, Key, Key]
    const outcomes = await Promise.all([
      db.update(first, { set: { age: '36' }, unset: ['name'] }),
      db.update(second, { set: { age: '1' }, kind: 7 }),
      db.update(third, { set: { a: 'b' } }, { ifBody: bob }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['changed', 'changed', 'conflict'])
    expect(await read(keys)).toEqual([{ age: '36' }, { name: 'Bob', age: '1' }, ada])
    await db.replace(first, { body: bob })
    expect(await db.delete(second)).toBe(true)
    expect(await db.deleteMany([second, third])).toEqual([false, true])
    expect(await read(keys)).toEqual([bob, undefined, undefined])
  })

  it('finds, counts, scans and exports give what is there', async () => {
    const keys = await db.putMany(shardId, 4, [ada, bob])
    const ids = keys.map(String)
    expect(
      (await db.find(shardId, { kind: 4, where: { equals: { name: 'Bob' } } })).map(({ key }) => String(key)),
    ).toEqual([ids[1]])
    expect((await db.explain(shardId, { kind: 4 })).access).toBeDefined()
    expect((await db.count({ shards: [shardId], kind: 4 })).total).toBe(2)
    const seen: string[] = []
    for await (const { key } of db.scan({ shards: [shardId], kind: 4 })) seen.push(String(key))
    expect(seen.sort()).toEqual(ids.sort())
    const lines: string[] = []
    await db.exportTo((bytes) => void lines.push(bytes.toString()), { shards: [shardId], kind: 4 })
    expect(
      lines
        .join('')
        .match(/Ada|Bob/g)
        ?.sort(),
    ).toEqual(['Ada', 'Bob'])
  })

  it('loads and transactions write what they are given', async () => {
    await db
      .load(
        5,
        Array.from({ length: 100 }, (_, n) => ({ n: String(n) })),
        { shardOf: () => shardId },
      )
      .finish()
    expect((await db.count({ shards: [shardId], kind: 5 })).total).toBe(100)
    const key = await db.transaction(shardId, async (tx) => {
      const made = await tx.put(6, ada)
      await tx.update(made, { set: { age: '36' } })
      return (await tx.get(made))?.key ?? made
    })
    expect((await db.get(key))?.body).toEqual({ ...ada, age: '36' })
  })
})
