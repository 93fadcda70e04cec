import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bigint,
  boolean,
  bytes,
  custom,
  Datastore,
  defineKind,
  integer,
  isHypervaultError,
  issuesOf,
  json,
  Key,
  number,
  oneOf,
  reference,
  text,
  timestamp,
  uuid,
  type ConnectionEntry,
  type DatastoreOptions,
  type InferInput,
} from '../../../src/index.ts'
import { provision } from '../../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../../support/databases.ts'
import { finiteNumber, jsonValue, storableText, time } from './arbitrary-value.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-5' }]
  await provision(connections)
})
afterAll(() => databases.drop())

const open = (options: Partial<DatastoreOptions> = {}): Datastore => new Datastore({ connections, ...options })

const User = defineKind(1, 'user', {
  name: text(),
  age: integer(),
  born: timestamp(),
  tags: json<string[]>(),
  balance: bigint(),
  bio: text().optional(),
  role: oneOf('admin', 'member').default('member'),
  nick: text().nullable(),
})

const Photo = defineKind(2, 'photo', { owner: reference('user'), title: text().default('untitled') })

const ada: InferInput<typeof User> = {
  name: 'Ada',
  age: 36,
  born: new Date('1815-12-10T00:00:00Z'),
  tags: ['maths', 'poetry'],
  balance: 12_345_678_901_234_567_890n,
  nick: null,
}

describe('a value of a kind', () => {
  it('comes back as it was put, with its defaults', async () => {
    await using db = open()
    const users = db.kind(User)
    const key = await users.put(1, ada)
    expect(await users.get(key)).toEqual({
      key,
      kind: 1,
      value: { ...ada, role: 'member' },
      body: (await db.get(key))?.body,
      updated: null,
    })
    expect(await users.get(Key.from({ created: new Date(), shardId: 1, addedId: 5 }))).toBeUndefined()
  })

  it('is stored as texts that others can read', async () => {
    await using db = open()
    const key = await db.kind(User).put(1, ada)
    expect((await db.get(key))?.body).toEqual({
      name: 'Ada',
      age: '36',
      born: '1815-12-10T00:00:00.000Z',
      tags: '["maths","poetry"]',
      balance: '12345678901234567890',
      role: 'member',
      nick: null,
    })
  })

  it('is exactly what was put, for every field and whatever it is', async () => {
    const url = custom<URL>({ write: String, read: (from) => new URL(from) })
    const Everything = defineKind(100, 'everything', {
      text: text(),
      integer: integer().nullable(),
      number: number(),
      bigint: bigint(),
      boolean: boolean(),
      timestamp: timestamp().optional(),
      json: json(),
      uuid: uuid(),
      bytes: bytes(),
      oneOf: oneOf('', 'a', '\'\\"'),
      reference: reference('everything').default(new Key(7n)),
      url,
      'it\'s "x"': text().optional(),
    })
    type Everything = InferInput<typeof Everything>
    const value: fc.Arbitrary<Everything> = fc.record(
      {
        text: storableText,
        integer: fc.option(fc.maxSafeInteger()),
        number: finiteNumber,
        bigint: fc.bigInt(),
        boolean: fc.boolean(),
        timestamp: time,
        json: jsonValue,
        uuid: fc.uuid(),
        bytes: fc.uint8Array({ maxLength: 20 }),
        oneOf: fc.constantFrom('' as const, 'a' as const, '\'\\"' as const),
        reference: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((id) => new Key(id)),
        url: fc.webUrl().map((each) => new URL(each)),
        'it\'s "x"': storableText,
      },
      { requiredKeys: ['text', 'integer', 'number', 'bigint', 'boolean', 'json', 'uuid', 'bytes', 'oneOf', 'url'] },
    )
    await using db = open()
    const all = db.kind(Everything)
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 10 }), async (values) => {
        const keys = await all.putMany(2, values)
        const read = (await all.getMany(keys)).map((entity) => entity?.value)
        expect(read).toEqual(values.map((each) => ({ reference: new Key(7n), ...each })))
        const { json: _json, ...first } = values[0]!
        const { integer, ...others } = first
        const found = await all.find(2, { where: { equals: others as never, contains: { integer } }, limit: 10_000 })
        expect(found.map(({ key }) => String(key))).toContain(String(keys[0]))
      }),
      { numRuns: 40 },
    )
  })

  it('has keys that know the clock of the deployment', async () => {
    const epochMs = 1_000_000_000_000
    await using db = open({ epochMs })
    const owner = await db.kind(User).put(1, ada)
    const photo = await db.kind(Photo).get(await db.kind(Photo).put(1, { owner }))
    expect(photo?.value).toEqual({ owner, title: 'untitled' })
    expect(photo?.value.owner.created).toEqual(owner.created)
  })

  it('can be loaded in bulk, from a stream too', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const owners = [1n, 2n, 3n].map((id) => new Key(id))
    async function* stream(): AsyncGenerator<InferInput<typeof Photo>> {
      for (const owner of owners) yield await Promise.resolve({ owner })
    }
    const keys: Key[] = []
    const shardOf = ({ owner }: InferInput<typeof Photo>, row: number): number => Number(owner.id) + (row === 2 ? 1 : 0)
    for await (const key of photos.load(stream(), { shardOf })) keys.push(key)
    expect(keys.map(({ shardId }) => shardId)).toEqual([1, 2, 4])
    expect((await photos.getMany(keys)).map((photo) => photo?.value)).toEqual(
      owners.map((owner) => ({ owner, title: 'untitled' })),
    )
    const wrong = [{ owner: owners[0]! }, { owner: 5 as never }]
    const failure = await photos
      .load(wrong, { shardOf: () => 1 })
      .finish()
      .catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ code: 'HV_LOAD_FAILED', details: { row: 1 } })
    expect(String((failure as Error).cause)).toBe('TypeError: photo.owner: must be a Key, got number')
    expect(() => photos.load('x' as never, { shardOf: () => 1 })).toThrow(TypeError)
    expect(() => photos.load([], {} as never)).toThrow('shardOf must be a function')
  })
})

describe('missing and null', () => {
  it('are two things, in both directions', async () => {
    await using db = open()
    const Note = defineKind(3, 'note', { both: text().nullable().optional(), json: json<null | string>().optional() })
    const notes = db.kind(Note)
    const keys = await notes.putMany(1, [{}, { both: null, json: null }, { both: undefined, json: 'null' }])
    const bodies = (await db.getMany(keys)).map((entity) => entity?.body)
    expect(bodies).toEqual([{}, { both: null, json: 'null' }, { json: '"null"' }])
    const values = (await notes.getMany(keys)).map((entity) => entity?.value)
    expect(values).toStrictEqual([{}, { both: null, json: null }, { json: 'null' }])
  })

  it('stay what they are until a field allows them', async () => {
    await using db = open()
    const key = await db.put(1, 2, { owner: null, title: null })
    await expect(db.kind(Photo).get(key)).rejects.toThrow(
      'photo.owner: is null, which the field does not allow; photo.title: is null, which the field does not allow',
    )
  })
})

describe('entities that are older than the definition', () => {
  it('read with the defaults of what they lack, and without what the kind does not know', async () => {
    await using db = open()
    const key = await db.put(1, 2, { owner: '7', legacy: 'kept' })
    const photo = await db.kind(Photo).get(key)
    expect(photo?.value).toStrictEqual({ owner: new Key(7n), title: 'untitled' })
    expect(photo?.body).toEqual({ owner: '7', legacy: 'kept' })
  })

  it('keep what the kind does not know in an update, and lose it in a replace', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const key = await db.put(1, 2, { owner: '7', legacy: 'kept' })
    expect(await photos.update(key, { set: { title: 'Bosporus' } })).toMatchObject({ status: 'changed' })
    expect((await db.get(key))?.body).toEqual({ owner: '7', title: 'Bosporus', legacy: 'kept' })
    expect(await photos.replace(key, { owner: new Key(8n) })).toMatchObject({ status: 'changed' })
    expect((await db.get(key))?.body).toEqual({ owner: '8', title: 'untitled' })
  })

  it('are found by what is stored and not by a default', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const owner = await db.kind(User).put(3, ada)
    await db.put(3, 2, { owner: String(owner) })
    const key = await photos.put(3, { owner })
    const found = await photos.find(3, { where: { equals: { owner, title: 'untitled' } } })
    expect(found.map((photo) => photo.key)).toEqual([key])
    expect(await photos.find(3, { where: { equals: { owner } } })).toHaveLength(2)
  })
})

describe.each([
  ['in lanes', { batch: true }],
  ['alone', { batch: false }],
])('a change, %s,', (_way, options) => {
  it('sets and unsets fields, and tells when', async () => {
    await using db = open(options)
    const users = db.kind(User)
    const key = await users.put(1, { ...ada, bio: 'wrote the first program', role: 'admin' })
    const outcome = await users.update(key, { set: { age: 37, nick: 'AL' }, unset: ['bio', 'role'] })
    const user = await users.get(key)
    expect(outcome).toEqual({ status: 'changed', updated: user?.updated })
    expect(user?.value).toStrictEqual({ ...ada, age: 37, nick: 'AL', role: 'member' })
    expect(user?.body).not.toHaveProperty('role')
  })

  it('is missing without an entity, and a conflict with another, with the value as it is', async () => {
    await using db = open(options)
    const users = db.kind(User)
    const key = await users.put(1, ada)
    await users.update(key, { set: { age: 37 } }, { ifUpdatedAt: null })
    const current = await users.get(key)
    expect(current?.value.age).toBe(37)
    const conflict = { status: 'conflict', current }
    expect(await users.update(key, { set: { age: 38 } }, { ifUpdatedAt: null })).toEqual(conflict)
    expect(await users.replace(key, ada, { ifBody: {} })).toEqual(conflict)
    expect(await users.delete(key, { ifUpdatedAt: null })).toEqual(conflict)
    expect(await users.replace(key, ada, { ifBody: current?.body ?? {} })).toMatchObject({ status: 'changed' })
    expect(await users.delete(key, { ifBody: (await users.get(key))?.body ?? {} })).toEqual({ status: 'deleted' })
    expect(await users.update(key, { set: { age: 38 } })).toEqual({ status: 'missing' })
    expect(await users.replace(key, ada)).toEqual({ status: 'missing' })
    expect([await users.delete(key), await users.exists(key)]).toEqual([false, false])
  })

  it('deletes and tells whether there was something', async () => {
    await using db = open(options)
    const users = db.kind(User)
    const key = await users.put(1, ada)
    expect([await users.exists(key), await users.delete(key), await users.exists(key)]).toEqual([true, true, false])
  })

  it('deletes many, and leaves those of another kind', async () => {
    await using db = open(options)
    const users = db.kind(User)
    const keys = [await users.put(1, ada), await users.put(2, ada), await users.put(1, ada)]
    expect(await users.deleteMany([keys[0]!, keys[1]!, keys[0]!])).toEqual([true, true, false])
    const photo = new Key((await db.kind(Photo).put(1, { owner: keys[2]! })).id)
    await expect(users.deleteMany([photo, keys[2]!])).rejects.toMatchObject({ code: 'HV_KIND_MISMATCH' })
    expect([await db.exists(photo), await db.exists(keys[2]!)]).toEqual([true, false])
    await expect(users.deleteMany(keys[0] as never)).rejects.toThrow('keys must be an array')
    await db.transaction(1, async (tx) => {
      const own = await tx.kind(User).put(ada)
      expect(await tx.kind(User).deleteMany([own, own])).toEqual([true, false])
    })
  })

  it('does not touch an entity of another kind', async () => {
    await using db = open(options)
    const users = db.kind(User)
    db.kind(Photo)
    const key = new Key((await db.kind(Photo).put(1, { owner: new Key(7n) })).id)
    const before = await db.get(key)
    const mismatch = {
      code: 'HV_KIND_MISMATCH',
      message: `entity ${key.toString()} in shard 1 is of kind 2 (photo), not of kind 1 (user)`,
      details: { key: String(key), shardId: 1, kind: 2, name: 'photo', expectedKind: 1, expectedName: 'user' },
    }
    await expect(users.get(key)).rejects.toMatchObject(mismatch)
    await expect(users.getMany([key])).rejects.toMatchObject(mismatch)
    await expect(users.update(key, { set: { age: 1 } })).rejects.toMatchObject(mismatch)
    await expect(users.update(key, { set: { age: 1 } }, { ifUpdatedAt: null })).rejects.toMatchObject(mismatch)
    await expect(users.replace(key, ada)).rejects.toMatchObject(mismatch)
    await expect(users.delete(key)).rejects.toMatchObject(mismatch)
    await expect(users.delete(key, { ifBody: before?.body ?? {} })).rejects.toMatchObject(mismatch)
    expect(await users.exists(key)).toBe(false)
    expect(await db.get(key)).toEqual(before)
  })
})

describe('find', () => {
  it('gives entities of the kind only, page by page', async () => {
    await using db = open()
    const users = db.kind(User)
    const people = ['Ada', 'Bob', 'Cem'].map((name, index) => ({ ...ada, name, age: 30 + index }))
    const keys = await users.putMany(4, people)
    await db.put(4, 9, { name: 'Ada', age: '30' })
    const newest = await users.find(4, { order: 'desc', limit: 2 })
    expect(newest.map(({ value }) => value.name)).toEqual(['Cem', 'Bob'])
    const others = await users.find(4, { order: 'desc', after: newest[1]!.key })
    expect(others.map(({ key }) => key)).toEqual([keys[0]])
    const [bob] = await users.find(4, { where: { equals: { age: 31, born: ada.born }, hasAll: ['name'] } })
    expect(bob?.value).toEqual({ ...people[1], role: 'member' })
    expect(await users.find(4, { where: { contains: { nick: null } } })).toHaveLength(3)
    expect(await users.find(4, { where: { has: 'bio' } })).toEqual([])
    expect(await users.find(4, { createdBefore: new Date('2020-01-01') })).toEqual([])
    expect(await users.explain(4, { where: { equals: { age: 31 } } })).toMatchObject({ isServed: false })
    await db.createIndex({ kind: 1, on: 'age' })
    expect(await users.explain(4, { where: { equals: { age: 31 } } })).toMatchObject({ isServed: true })
  })
})

it('what is no query at all is refused as by the datastore', async () => {
  await using db = open()
  for (const query of [null, [], 'x'] as never[]) {
    await expect(db.kind(User).find(1, query)).rejects.toThrow('a query must be an object')
  }
})

describe('scan', () => {
  it('walks through the entities of the kind in all shards, with cursors', async () => {
    await using db = open()
    const Stop = defineKind(6, 'stop', { line: text(), at: timestamp() })
    const stops = db.kind(Stop)
    const times = [3, 1, 2].map((hour) => new Date(hour * 3_600_000))
    for (const [index, at] of times.entries()) await stops.put(index + 1, { line: 'M2', at })
    await stops.put(4, { line: 'T1', at: new Date(0) })
    const where = { equals: { line: 'M2' } }
    expect(await stops.count({ where })).toMatchObject({ total: 3 })
    expect(await stops.count()).toMatchObject({ total: 4 })
    const hours: Date[] = []
    for await (const { value } of stops.scan({ where })) hours.push(value.at)
    expect(hours).toEqual(times)
    const pages = stops.scan({ where, pageSize: 2, order: 'desc' }).pages()
    const first = await pages.next()
    await pages.return()
    const { cursor, entities } = first.value ?? {}
    expect(entities?.map(({ value }) => value.at)).toEqual(times.toReversed().slice(0, 2))
    await using scan = stops.scan({ where, order: 'desc', after: cursor ?? '' })
    for await (const stop of scan) expect(stop.value).toStrictEqual({ line: 'M2', at: times[0] })
    expect(scan.missingShards).toEqual([])
    await db.put(1, 6, { line: 'M2' })
    const failing = stops.scan({ where, order: 'desc' })
    await expect(failing[Symbol.asyncIterator]().next()).rejects.toMatchObject({ details: { path: 'stop.at' } })
    expect(() => stops.scan({ where: { has: 'x' as never } })).toThrow('where.x: is not a field of this kind')
  })
})

describe('a transaction', () => {
  it('has the operations of a kind, and undoes them', async () => {
    await using db = open()
    const key = await db.kind(User).put(1, ada)
    const photoKeys = await db.transaction(1, async (tx) => {
      const [users, photos] = [tx.kind(User), tx.kind(Photo)]
      expect((await users.get(key))?.value.name).toBe('Ada')
      await users.update(key, { set: { age: 40 } }, { ifUpdatedAt: null })
      expect(await users.update(key, { set: { age: 41 } }, { ifUpdatedAt: null })).toMatchObject({
        status: 'conflict',
        current: { value: { age: 40 } },
      })
      const first = await photos.put({ owner: key })
      const [second, third] = await photos.putMany([{ owner: key, title: 'two' }, { owner: key }])
      expect(await photos.delete(third!)).toBe(true)
      expect(await photos.delete(second!, { ifBody: {} })).toMatchObject({ current: { value: { title: 'two' } } })
      expect(await photos.replace(first, { owner: key, title: 'one' })).toMatchObject({ status: 'changed' })
      expect([await photos.exists(second!), await photos.exists(third!)]).toEqual([true, false])
      const found = await photos.find({ where: { equals: { owner: key } } })
      expect(found.map(({ value }) => value.title)).toEqual(['one', 'two'])
      await expect(users.get(new Key(first.id))).rejects.toMatchObject({ code: 'HV_KIND_MISMATCH' })
      await expect(photos.put({ owner: 5 as never })).rejects.toThrow('photo.owner: must be a Key, got number')
      return [first, second!]
    })
    expect((await db.kind(Photo).getMany(photoKeys)).map((photo) => photo?.value.title)).toEqual(['one', 'two'])
    const failure = db.transaction(1, async (tx) => {
      await tx.transaction((inner) => inner.kind(User).update(key, { set: { age: 99 } }))
      throw new Error('no')
    })
    await expect(failure).rejects.toThrow('no')
    expect((await db.kind(User).get(key))?.value.age).toBe(40)
  })
})

describe('a value that does not fit', () => {
  const wrong = {
    ...ada,
    age: 1.5,
    born: new Date(NaN),
    tags: ['a', { at: new Date() }, undefined],
    balance: '1',
    nick: undefined,
    bio: 's3cret\0',
    role: 's3cret',
    s3cret: 1,
  } as never

  it('is refused with all its places before anything is sent', async () => {
    await using db = open()
    const users = db.kind(User)
    const error = await users.put(1, wrong).catch((thrown: unknown) => thrown as Error)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toBe(
      'TypeError: user.s3cret: is not a field of this kind; ' +
        'user.age: must be an integer between -(2^53 - 1) and 2^53 - 1; ' +
        'user.born: must be a time, got an invalid Date; and 5 more',
    )
    expect(issuesOf(error)?.map(({ path }) => path.join('.'))).toEqual([
      's3cret',
      'age',
      'born',
      'tags.1.at',
      'balance',
      'bio',
      'role',
      'nick',
    ])
    await expect(users.putMany(1, [ada, { ...ada, tags: ['a', 5n as never] }])).rejects.toThrow(
      'values[1]: user.tags[1]: JSON holds no bigint',
    )
    await expect(users.replace(new Key(1n), wrong)).rejects.toThrow('user.age: must be an integer')
    expect(db.stats()[0]?.created).toBe(0)
  })

  it.each<[string, object, string]>([
    ['of text', { name: 5 }, 'user.name: must be text, got number'],
    ['that is missing', { name: undefined }, 'user.name: is missing'],
    ['that is null', { name: null }, 'user.name: must be text, got null'],
    ['with half a character', { name: '\ud800' }, 'user.name: must be well-formed Unicode, got a lone surrogate'],
    ['that is too large', { age: 2 ** 53 }, 'user.age: must be an integer between'],
    ['of none of the texts', { role: 'boss' }, 'user.role: must be one of "admin", "member"'],
    ['in JSON that is infinite', { tags: [Infinity] }, 'user.tags[0]: must be a finite number'],
    ['in JSON of a class', { tags: { 'a b': new Map() } }, 'user.tags["a b"]: JSON holds no object of class Map'],
    ['in JSON that is a hole', { tags: new Array(1) }, 'user.tags[0]: JSON holds no undefined'],
  ])('%s is named', async (_name, part, message) => {
    await using db = open()
    await expect(db.kind(User).put(1, { ...ada, ...part })).rejects.toThrow(message)
  })

  it('because it refers to itself is refused as well', async () => {
    await using db = open()
    const tags: unknown[] = []
    tags.push(tags)
    await expect(db.kind(User).put(1, { ...ada, tags: tags as never })).rejects.toThrow('or refers to itself')
    await expect(db.kind(User).put(1, [] as never)).rejects.toThrow('user: must be an object, got an array')
    await expect(db.kind(User).putMany(1, ada as never)).rejects.toThrow('values must be an array')
  })

  it.each<[string, unknown, string]>([
    ['an unknown field', { set: { nme: 'x' } }, 'user.nme: is not a field of this kind'],
    ['a wrong type', { set: { age: 'x' } }, 'user.age: must be an integer, got string'],
    ['undefined', { set: { bio: undefined } }, 'user.bio: is set to undefined: omit it, or name it in unset'],
    ['a field twice', { set: { bio: 'x' }, unset: ['bio'] }, 'user.bio: is both in set and in unset'],
    ['a required field', { unset: ['name'] }, 'user.name: is required, so it cannot be unset'],
    ['no field', { unset: ['nme'] }, 'user.nme: is not a field of this kind'],
    ['a kind', { set: {}, kind: 2 }, 'unknown part kind of an update of user'],
    ['nothing', {}, 'an update of user takes set or unset'],
    ['no object', 5, 'an update of user must be an object of set, unset, got number'],
    ['no names', { unset: 'bio' }, 'unset must be an array, got string'],
    ['names of another type', { unset: [1] }, 'unset must be an array of names, got one with number'],
    ['a list', { set: [] }, 'set must be an object, got an array'],
  ])('is refused in an update of %s', async (_name, change, message) => {
    await using db = open()
    const update = db.kind(User).update(new Key(1n), change as never)
    await expect(update).rejects.toThrow(message)
    await expect(update).rejects.toBeInstanceOf(TypeError)
    expect(db.stats()[0]?.created).toBe(0)
  })

  it.each<[string, unknown, string]>([
    ['an unknown field', { equals: { nme: 'x' } }, 'where.equals.nme: is not a field of this kind'],
    ['a wrong type', { contains: { age: 'x' } }, 'where.contains.age: must be an integer, got string'],
    ['undefined', { equals: { bio: undefined } }, 'where.equals.bio: is undefined: omit it to match any value'],
    ['JSON', { equals: { tags: [] } }, 'where.equals.tags: is stored as JSON'],
    ['a null that cannot be', { contains: { name: null } }, 'where.contains.name: must be text, got null'],
    ['an unknown name', { has: 'nme' }, 'where.nme: is not a field of this kind'],
    ['unknown names', { hasAny: ['name', 'nme'] }, 'where.nme: is not a field of this kind'],
    ['an unknown part', { like: {} }, 'unknown part like of where'],
    ['no object', 'x', 'where must be an object of'],
    ['a list', { equals: [] }, 'where.equals: body must be a plain object, got array'],
  ])('is refused in a where with %s', async (_name, where, message) => {
    await using db = open()
    await expect(db.kind(User).find(1, { where: where as never })).rejects.toThrow(message)
    expect(db.stats()[0]?.created).toBe(0)
  })
})

describe('a stored entity that is not what its kind says', () => {
  it('is an error with key and path, and never with the value', async () => {
    await using db = open()
    const users = db.kind(User)
    const good = (await db.get(await users.put(1, ada)))?.body
    const key = await db.put(1, 1, { ...good, age: 's3cret', tags: '["s3cret"', nick: 's3cret' })
    const error = await users.get(key).catch((thrown: unknown) => thrown as Error)
    expect(error).toMatchObject({
      code: 'HV_KIND_UNREADABLE',
      message: `entity ${key.toString()} in shard 1 cannot be read: user.age: is not the text of an integer up to 2^53 - 1; user.tags: is not JSON`,
      details: { key: String(key), shardId: 1, kind: 1, name: 'user', path: 'user.age', field: 'age' },
    })
    expect(JSON.stringify(error) + String(error as Error)).not.toContain('s3cret')
    expect(issuesOf(error)?.map(({ path }) => path)).toEqual([['age'], ['tags']])
    await expect(users.find(1, { where: { equals: { nick: 's3cret' } } })).rejects.toMatchObject({
      details: { field: 'age' },
    })
    await expect(users.delete(key, { ifBody: {} })).rejects.toMatchObject({ code: 'HV_KIND_UNREADABLE' })
  })

  it('can be corrected by an update', async () => {
    await using db = open()
    const users = db.kind(User)
    const good = (await db.get(await users.put(1, ada)))?.body
    const key = await db.put(1, 1, { ...good, age: 'thirty-six' })
    expect(await users.update(key, { set: { age: 36 } })).toMatchObject({ status: 'changed' })
    expect((await users.get(key))?.value).toEqual({ ...ada, role: 'member' })
  })
})

describe('defining kinds', () => {
  it.each<[string, () => unknown, string]>([
    ['a number that is text', () => defineKind('1' as never, 'user', {}), 'the number of a kind must be a number'],
    ['a number that is too large', () => defineKind(40_000, 'user', {}), 'the number of a kind must be an integer'],
    ['no name', () => defineKind(1, '', {}), 'the name of a kind must be 1 to 63 letters'],
    ['a name with spaces', () => defineKind(1, 'a b', {}), 'the name of a kind must be 1 to 63 letters'],
    ['a name that is a number', () => defineKind(1, 5 as never, {}), 'the name of a kind must be a string, got number'],
    ['no definition', () => defineKind(1, 'user', null as never), 'a kind is defined by an object of fields or'],
    [
      'a function',
      () => defineKind(1, 'user', { a: text as never }),
      'field "a" must be created with text(), integer() …, got function: call the function',
    ],
    ['a type', () => defineKind(1, 'user', { a: 'text' as never }), 'field "a" must be created with text()'],
    ['a name with NUL', () => defineKind(1, 'user', { 'a\0': text() }), 'must not contain NUL'],
    [
      'a dangerous name',
      () => defineKind(1, 'user', JSON.parse('{"__proto__":1}') as never),
      'cannot be called __proto__',
    ],
    ['a default that does not fit', () => integer().default(1.5), 'the default: must be an integer'],
    ['no choice', () => oneOf(), 'oneOf takes at least one text'],
    ['a choice that is none', () => oneOf(5 as never), 'oneOf: must be text, got number'],
    ['no codec', () => custom({} as never), 'custom takes the functions write and read'],
    ['no schema', () => json({} as never), 'json takes a Standard Schema'],
    ['a schema that is undefined', () => json(undefined as never), 'json takes a Standard Schema'],
  ])('refuses %s', (_name, define, message) => {
    expect(define).toThrow(message)
  })

  it('allows fields that are called like what every object has', async () => {
    await using db = open()
    const Odd = defineKind(5, 'odd', { constructor: text().optional(), toString: text().optional() } as never)
    const odds = db.kind(Odd)
    const key = await odds.put(1, {} as never)
    expect((await odds.get(key))?.value).toStrictEqual({})
  })
})

describe('a datastore', () => {
  it('knows one name for a number and one number for a name', async () => {
    await using db = open()
    db.kind(User)
    expect(() => db.kind(defineKind(1, 'account', {}))).toThrow('kind 1 is already user, and cannot also be account')
    expect(() => db.kind(defineKind(7, 'user', {}))).toThrow('user is already kind 1, and cannot also be 7')
    expect(() => db.kind({ number: 8 } as never)).toThrow('kind takes the result of defineKind, got an object')
    await db.transaction(1, (tx) => {
      expect(() => tx.kind(defineKind(1, 'account', {}))).toThrow('kind 1 is already user')
    })
  })

  it('takes the same kind defined again, as when a module is loaded twice', async () => {
    await using db = open()
    const key = await db.kind(User).put(1, ada)
    const Again = defineKind(1, 'user', { name: text(), motto: text().default('none') })
    expect((await db.kind(Again).get(key))?.value).toStrictEqual({ name: 'Ada', motto: 'none' })
    await db.reinstantiate()
    expect(() => db.kind(defineKind(1, 'account', {}))).toThrow(TypeError)
  })
})

it('an error of a kind is told apart by its code', async () => {
  await using db = open()
  const error: unknown = await db
    .kind(Photo)
    .get(await db.put(1, 77, {}))
    .catch((thrown: unknown) => thrown)
  expect(isHypervaultError(error, 'HV_KIND_MISMATCH') && error.details.kind).toBe(77)
  expect(String(error)).toContain('is of kind 77, not of kind 2 (photo)')
  expect(issuesOf(error)).toBeUndefined()
})
