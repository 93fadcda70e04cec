import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  Datastore,
  defineKind,
  issuesOf,
  json,
  Key,
  text,
  type ConnectionEntry,
  type Entity,
  type InferInput,
  type InferOutput,
} from '../../../src/index.ts'
import { KindRegistry } from '../../../src/entity/kind/kind-registry.ts'
import { provision } from '../../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../../support/databases.ts'
import { schemaValue } from './arbitrary-value.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-4' }]
  await provision(connections)
})
afterAll(() => databases.drop())

const open = (): Datastore => new Datastore({ connections })

/** The same photo in the words of three libraries. */
const zodPhoto = z.object({
  title: z.string(),
  taken: z.date(),
  size: z.number(),
  views: z.bigint(),
  isPublic: z.boolean().default(false),
  note: z.string().nullable().optional(),
  place: z.object({ city: z.string(), seen: z.array(z.date()) }).optional(),
})
const valibotPhoto = v.object({
  title: v.string(),
  taken: v.date(),
  size: v.number(),
  views: v.bigint(),
  isPublic: v.optional(v.boolean(), false),
  note: v.optional(v.nullable(v.string())),
  place: v.optional(v.object({ city: v.string(), seen: v.array(v.date()) })),
})
const arktypePhoto = type({
  '+': 'delete',
  title: 'string',
  taken: 'Date',
  size: 'number',
  views: 'bigint',
  isPublic: 'boolean = false',
  'note?': 'string | null',
  'place?': { city: 'string', seen: 'Date[]' },
})

const kinds = [
  ['Zod', defineKind(1, 'photo', zodPhoto)],
  ['Valibot', defineKind(1, 'photo', valibotPhoto)],
  ['ArkType', defineKind(1, 'photo', arktypePhoto)],
] as const satisfies [string, unknown][]

type PhotoKind = (typeof kinds)[0][1]

const bosporus: InferInput<PhotoKind> = {
  title: '5',
  taken: new Date('2014-11-15T14:11:06.450Z'),
  size: 1.5,
  views: 12_345_678_901_234_567_890n,
  note: null,
  place: { city: 'İstanbul', seen: [new Date(0)] },
}

describe.each(kinds as [string, PhotoKind][])('a kind defined with %s', (_library, Photo) => {
  it('takes its input, and gives its output', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const key = await photos.put(1, bosporus)
    const photo = await photos.get(key)
    const value: InferOutput<PhotoKind> | undefined = photo?.value
    expect(value).toStrictEqual({ ...bosporus, isPublic: false })
    expect(photo?.body).toEqual({
      title: '"5"',
      taken: '2014-11-15T14:11:06.450Z',
      size: '1.5',
      views: '12345678901234567890n',
      isPublic: 'false',
      note: null,
      place: '{"city":"İstanbul","seen":["1970-01-01T00:00:00.000Z"]}',
    })
  })

  it('reads a field that an entity lacks as its default', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const { isPublic: _isPublic, ...body } = (await photos.get(await photos.put(1, bosporus)))?.body ?? {}
    expect((await photos.get(await db.put(1, 1, body)))?.value.isPublic).toBe(false)
  })

  it('finds by values', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const size = Math.random()
    const key = await photos.put(2, { ...bosporus, size })
    const equals = { title: '5', size, taken: bosporus.taken, views: bosporus.views, isPublic: false }
    const found = await photos.find(2, { where: { equals, contains: { note: null } } })
    expect(found.map((photo) => photo.key)).toEqual([key])
    await expect(photos.find(2, { where: { equals: { place: {} } as never } })).rejects.toThrow(
      'where.equals.place: an object of class Object cannot be compared',
    )
  })

  it('is judged as a whole in an update, which leaves what the kind does not know', async () => {
    await using db = open()
    const photos = db.kind(Photo)
    const { body } = (await photos.get(await photos.put(1, bosporus)))!
    const key = await db.put(1, 1, { ...body, legacy: 'kept' })
    expect(await photos.update(key, { set: { title: 'new', size: 2 }, unset: ['note', 'place'] })).toMatchObject({
      status: 'changed',
    })
    const photo = await photos.get(key)
    const { note: _note, place: _place, ...others } = bosporus
    expect(photo?.value).toStrictEqual({ ...others, isPublic: false, title: 'new', size: 2 })
    expect(photo?.body).toEqual({
      ...body,
      title: 'new',
      size: '2',
      legacy: 'kept',
      note: undefined,
      place: undefined,
    })
    await expect(photos.update(key, { set: { size: 's3cret' as never } })).rejects.toThrow(
      'photo.size: its schema does not accept this, got string',
    )
    await expect(photos.update(key, { unset: ['title' as never] })).rejects.toThrow('photo.title: its schema')
    expect((await photos.get(key))?.body).toEqual(photo?.body)
  })

  it('names what does not fit, and shows no value but to who asks for it', async () => {
    await using db = open()
    const wrong = { ...bosporus, size: 's3cret', place: { city: 'x', seen: [new Date(), 's3cret'] } } as never
    const error = await db
      .kind(Photo)
      .put(1, wrong)
      .catch((thrown: unknown) => thrown as Error)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error as Error)).toContain('photo.size: its schema does not accept this, got string')
    expect(String(error as Error)).toContain('photo.place.seen[1]: its schema does not accept this, got string')
    expect(JSON.stringify([error, String(error as Error), Object.values(error)])).not.toContain('s3cret')
    const issues = issuesOf(error) ?? []
    expect(issues.map(({ path }) => path)).toEqual(expect.arrayContaining([['size'], ['place', 'seen', 1]]))
    expect(issues.every(({ message }) => message.length > 0)).toBe(true)
    expect(db.stats()[0]?.created).toBe(0)
  })

  it('does not read what it would not take', async () => {
    await using db = open()
    const key = await db.put(1, 1, { title: 's3cret', size: 's3cret', taken: 'x', views: '1n' })
    const error = await db
      .kind(Photo)
      .get(key)
      .catch((thrown: unknown) => thrown as Error)
    expect(error).toMatchObject({ code: 'HV_KIND_UNREADABLE', details: { key: String(key), name: 'photo' } })
    expect(
      issuesOf(error)
        ?.map(({ path }) => path[0])
        .sort(),
    ).toEqual(['size', 'taken'])
    expect(JSON.stringify(error) + String(error as Error)).not.toContain('s3cret')
  })
})

describe('an update of a kind with a schema', () => {
  const Counter = defineKind(2, 'counter', z.object({ n: z.number(), by: z.record(z.string(), z.number()) }))

  it('is done again until it meets the entity as it has read it', async () => {
    await using one = open()
    await using two = open()
    const key = await one.kind(Counter).put(1, { n: 0, by: {} })
    const changes = [
      one.kind(Counter).update(key, { set: { n: 7 } }),
      two.kind(Counter).update(key, { set: { by: { a: 1 } } }),
      one.update(key, { set: { other: '1' } }),
      two.kind(Counter).update(key, { set: { n: 7 } }),
    ]
    expect((await Promise.all(changes)).map(({ status }) => status)).toEqual(Array(4).fill('changed'))
    const counter = await one.kind(Counter).get(key)
    expect(counter?.value).toEqual({ n: 7, by: { a: 1 } })
    expect(counter?.body.other).toBe('1')
  })

  it('keeps a condition of its caller, and tries once', async () => {
    await using db = open()
    const counters = db.kind(Counter)
    const key = await counters.put(1, { n: 0, by: {} })
    await counters.update(key, { set: { n: 1 } }, { ifUpdatedAt: null })
    const current = await counters.get(key)
    const stale = { status: 'conflict', current }
    expect(await counters.update(key, { set: { n: 2 } }, { ifUpdatedAt: null })).toEqual(stale)
    expect(await counters.update(key, { set: { n: 2 } }, { ifBody: { n: '0', by: '{}' } })).toEqual(stale)
    const ifBody = current?.body ?? {}
    expect(await counters.update(key, { set: { n: 2 } }, { ifBody })).toMatchObject({ status: 'changed' })
    expect(await counters.update(new Key(key.id + 1n), { set: { n: 2 } })).toEqual({ status: 'missing' })
    await expect(counters.update(key, { set: { n: 2 } }, { ifUpdatedAt: 'x' as never })).rejects.toThrow('ifUpdatedAt')
    await expect(counters.update(key, { set: { n: 2 } }, { ifBody: 'x' as never })).rejects.toThrow('ifBody: body')
    const other = await db.put(1, 9, {})
    await expect(counters.update(other, { set: { n: 2 } })).rejects.toMatchObject({ code: 'HV_KIND_MISMATCH' })
  })

  it('gives up with a conflict when others are faster each time', async () => {
    const key = new Key(1n)
    const entity = (n: number): Entity => ({ key, kind: 2, body: { n: String(n), by: '{}' }, updated: null })
    let tries = 0
    const outcome = await new KindRegistry(0).termsOf(Counter).update(
      key,
      { set: { n: -1 } },
      {},
      {
        get: () => Promise.resolve(entity(0)),
        update: (change, condition) => {
          expect([change, condition]).toEqual([
            { set: { n: '-1' }, unset: [] },
            { ifKind: 2, ifBody: { n: String(tries), by: '{}' } },
          ])
          tries += 1
          return Promise.resolve({ status: 'conflict', current: entity(tries) })
        },
      },
    )
    expect(outcome).toMatchObject({ status: 'conflict', current: { value: { n: 16 } } })
    expect(tries).toBe(16)
  })

  it('can be done in a transaction', async () => {
    await using db = open()
    const key = await db.kind(Counter).put(1, { n: 0, by: {} })
    await db.transaction(1, async (tx) => {
      await tx.kind(Counter).update(key, { set: { n: 1 } })
      await tx.kind(Counter).update(key, { set: { by: { a: 1 } } })
    })
    expect((await db.kind(Counter).get(key))?.value).toEqual({ n: 1, by: { a: 1 } })
  })

  it('does not drop a field silently', async () => {
    await using db = open()
    const key = await db.kind(Counter).put(1, { n: 0, by: {} })
    await expect(db.kind(Counter).update(key, { set: { nn: 1 } as never })).rejects.toThrow(
      'counter.nn: its schema drops this',
    )
  })

  it('moves between the members of a union', async () => {
    await using db = open()
    const Shape = defineKind(
      3,
      'shape',
      z.discriminatedUnion('sort', [
        z.object({ sort: z.literal('circle'), radius: z.number() }),
        z.object({ sort: z.literal('square'), side: z.number() }),
      ]),
    )
    const shapes = db.kind(Shape)
    const key = await shapes.put(1, { sort: 'circle', radius: 1 })
    await shapes.update(key, { set: { sort: 'square', side: 2 } })
    expect((await db.get(key))?.body).toEqual({ sort: 'square', side: '2' })
    await expect(shapes.update(key, { set: { sort: 'circle' } })).rejects.toThrow('shape.radius: its schema')
  })
})

describe('a schema', () => {
  it('may give any value that can be stored, which comes back as it was', async () => {
    await using db = open()
    const Anything = defineKind(4, 'anything', z.record(z.string(), z.any()))
    const anything = db.kind(Anything)
    const name = fc
      .oneof(fc.constantFrom('__proto__', 'constructor', '', '"'), fc.string({ maxLength: 4 }))
      .filter((each) => !each.includes('\0'))
    const value = fc.dictionary(
      name.filter((each) => each !== '__proto__'),
      fc.oneof(schemaValue, fc.constant(null)),
      { noNullPrototype: true, maxKeys: 5 },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 10 }), async (values) => {
        const keys = await anything.putMany(3, values)
        expect((await anything.getMany(keys)).map((entity) => entity?.value)).toEqual(values)
      }),
      { numRuns: 60 },
    )
  })

  it.each<[string, z.ZodType<object>, object, string]>([
    [
      'a map',
      z.object({ a: z.map(z.string(), z.string()) }),
      { a: new Map() },
      'odd.a: an object of class Map cannot be stored',
    ],
    ['infinity', z.object({ a: z.any() }), { a: [Infinity] }, 'odd.a[0]: must be a finite number'],
    ['a hole', z.object({ a: z.any() }), { a: [undefined] }, 'odd.a[0]: undefined cannot be stored'],
    ['NUL', z.object({ a: z.string() }), { a: 'a\0' }, 'odd.a: must not contain NUL (U+0000)'],
    ['no object', z.array(z.string()), [], 'odd: its schema must return a plain object, got an array'],
  ])('that gives %s is refused at the value', async (_name, schema, value, message) => {
    await using db = open()
    await expect(db.kind(defineKind(5, 'odd', schema as never)).put(1, value as never)).rejects.toThrow(message)
    expect(db.stats()[0]?.created).toBe(0)
  })

  it('that does not give back what it has given is refused, because it would be read as something else', async () => {
    await using db = open()
    const message = 'shout.a: its schema does not accept its own output, or returns something else for it'
    const louder = z.object({ a: z.string().transform((each) => `${each}!`) })
    await expect(db.kind(defineKind(6, 'shout', louder)).put(1, { a: 'x' })).rejects.toThrow(message)
    const length = z.object({ a: z.string().transform((each) => each.length) })
    // @ts-expect-error the output of this schema is not its input
    const Length = defineKind(6, 'shout', length)
    await expect(db.kind(Length as never).put(1, { a: 'x' } as never)).rejects.toThrow(message)
    const trimmed = defineKind(6, 'shout', z.object({ a: z.string().trim() }))
    expect((await db.kind(trimmed).get(await db.kind(trimmed).put(1, { a: ' x ' })))?.value).toEqual({ a: 'x' })
  })

  it('that validates asynchronously is refused, and leaves no rejection behind', async () => {
    await using db = open()
    const later: StandardSchemaV1<unknown, object> = {
      '~standard': { version: 1, vendor: 'later', validate: () => Promise.reject(new Error('no')) },
    }
    const Slow = defineKind(7, 'slow', later)
    await expect(db.kind(Slow).put(1, { a: 'x' })).rejects.toThrow(
      'validates asynchronously, which a kind does not support',
    )
    await expect(db.kind(Slow).get(await db.put(1, 7, { a: 'x' }))).rejects.toThrow(TypeError)
    const Unique = defineKind(10, 'unique', z.object({ a: z.string().refine(() => Promise.resolve(true)) }))
    await expect(db.kind(Unique).put(1, { a: 'x' })).rejects.toThrow('validates asynchronously')
  })

  it('may judge the JSON of one field', async () => {
    await using db = open()
    const Tagged = defineKind(8, 'tagged', { name: text(), tags: json(z.array(z.string()).min(1)) })
    const tagged = db.kind(Tagged)
    const key = await tagged.put(1, { name: 'x', tags: ['a'] })
    expect((await tagged.get(key))?.value).toEqual({ name: 'x', tags: ['a'] })
    await expect(tagged.put(1, { name: 'x', tags: ['a', 5 as never] })).rejects.toThrow('tagged.tags[1]: its schema')
    await expect(tagged.get(await db.put(1, 8, { name: 'x', tags: '[5]' }))).rejects.toMatchObject({
      details: { path: 'tagged.tags[0]', field: 'tags' },
    })
    const louder = json(z.string().transform((each) => `${each}!`))
    await expect(db.kind(defineKind(9, 'loud', { a: louder })).put(1, { a: 'x' })).rejects.toThrow(
      'loud.a: its schema does not accept its own output',
    )
  })
})
