/** Something that a consumer must not be able to compile, and what the compiler has to say about it. */
export interface Mistake {
  readonly title: string
  readonly code: string
  readonly says: string
}

/**
 * Mistakes with kinds and keys. Each is a module of its own beside `kinds.ts` of the consumer, from which it has `User`,
 * `ZodPhoto`, `users`, `photos`, `userKey`, `photoKey` and `ada`.
 */
export const mistakes: readonly Mistake[] = [
  {
    title: 'a field that is spelt wrong',
    code: `users.put(5, { ...ada, nme: 'Ada' })`,
    says: `'nme' does not exist in type`,
  },
  {
    title: 'a value of a wrong type',
    code: `users.put(5, { ...ada, age: '36' })`,
    says: `Type 'string' is not assignable to type 'number'`,
  },
  {
    title: 'a number in the place of a bigint',
    code: `users.put(5, { ...ada, balance: 1 })`,
    says: `Type 'number' is not assignable to type 'bigint'`,
  },
  {
    title: 'null where it is not allowed',
    code: `users.put(5, { ...ada, name: null })`,
    says: `Type 'null' is not assignable to type 'string'`,
  },
  {
    title: 'a required field that is missing',
    code: `users.put(5, { name: 'Ada', age: 36, born: new Date(), tags: [], nick: null })`,
    says: `Property 'balance' is missing`,
  },
  {
    title: 'a text that is none of the choices',
    code: `users.put(5, { ...ada, role: 'boss' })`,
    says: `Type '"boss"' is not assignable to type '"admin" | "member" | undefined'`,
  },
  {
    title: 'a list of something else in JSON',
    code: `users.put(5, { ...ada, tags: [1] })`,
    says: `Type 'number' is not assignable to type 'string'`,
  },
  {
    title: 'a put without a shard',
    code: `users.put(ada)`,
    says: `Expected 2-3 arguments, but got 1`,
  },
  {
    title: 'a value of another kind',
    code: `photos.put(5, ada)`,
    says: `is missing the following properties from type`,
  },
  {
    title: 'one value of another kind among many',
    code: `users.putMany(5, [ada, { title: 'x', taken: new Date() }])`,
    says: `does not exist in type`,
  },
  {
    title: 'a key that is a number',
    code: `users.get(307821103844175873)`,
    says: `Argument of type 'number' is not assignable to parameter of type 'KindKey<"user">'`,
  },
  {
    title: 'a key that is text',
    code: `users.get('307821103844175873')`,
    says: `Argument of type 'string' is not assignable to parameter of type 'KindKey<"user">'`,
  },
  {
    title: 'a key of another kind',
    code: `users.get(photoKey)`,
    says: `is not assignable to parameter of type 'KindKey<"user">'`,
  },
  {
    title: 'a key of another kind among many',
    code: `users.getMany([userKey, photoKey])`,
    says: `Type '"photo"' is not assignable to type '"user"'`,
  },
  {
    title: 'a reference to another kind',
    code: `db.kind(Link).put(5, { ...link, owner: photoKey })`,
    says: `Type '"photo"' is not assignable to type '"user"'`,
  },
  {
    title: 'a store of another kind',
    code: `const store: KindStore<typeof User> = photos; store`,
    says: `is not assignable to type 'KindStore<Kind<"user"`,
  },
  {
    title: 'a field that is read and does not exist',
    code: `users.get(userKey).then((user) => user?.value.nme)`,
    says: `Property 'nme' does not exist on type`,
  },
  {
    title: 'a field that may be missing, used as if it were there',
    code: `users.get(userKey).then((user) => user?.value.bio.length)`,
    says: `'user.value.bio' is possibly 'undefined'`,
  },
  {
    title: 'an update of an unknown field',
    code: `users.update(userKey, { set: { nme: 'x' } })`,
    says: `'nme' does not exist in type`,
  },
  {
    title: 'an update with a wrong type',
    code: `users.update(userKey, { set: { born: '1815-12-10' } })`,
    says: `Type 'string' is not assignable to type 'Date'`,
  },
  {
    title: 'an update to undefined',
    code: `users.update(userKey, { set: { bio: undefined } })`,
    says: `Type 'undefined' is not assignable to type 'string'`,
  },
  {
    title: 'an unset of a required field',
    code: `users.update(userKey, { unset: ['name'] })`,
    says: `Type '"name"' is not assignable to type '"`,
  },
  {
    title: 'an unset of a required field of a schema',
    code: `photos.update(photoKey, { unset: ['title'] })`,
    says: `Type '"title"' is not assignable to type '"size"'`,
  },
  {
    title: 'an update that changes the kind',
    code: `users.update(userKey, { kind: 2 })`,
    says: `'kind' does not exist in type 'KindChange<`,
  },
  {
    title: 'a replace that leaves fields out',
    code: `users.replace(userKey, { name: 'Ada' })`,
    says: `is missing the following properties from type`,
  },
  {
    title: 'a where on an unknown field',
    code: `users.find(5, { where: { equals: { nme: 'Ada' } } })`,
    says: `'nme' does not exist in type`,
  },
  {
    title: 'a where with a wrong type',
    code: `users.find(5, { where: { contains: { age: '36' } } })`,
    says: `Type 'string' is not assignable to type 'number'`,
  },
  {
    title: 'a where on JSON',
    code: `users.find(5, { where: { equals: { tags: [] } } })`,
    says: `'tags' does not exist in type`,
  },
  {
    title: 'an unknown name in has',
    code: `users.find(5, { where: { has: 'nme' } })`,
    says: `Type '"nme"' is not assignable to type`,
  },
  {
    title: 'a page after a key of another kind',
    code: `users.find(5, { after: photoKey })`,
    says: `Type '"photo"' is not assignable to type '"user"'`,
  },
  {
    title: 'a wrong option',
    code: `users.get(userKey, { sgnal: AbortSignal.timeout(1) })`,
    says: `'sgnal' does not exist in type 'EntityOptions'`,
  },
  {
    title: 'an outcome that is taken for done',
    code: `users.update(userKey, { set: { age: 1 } }).then((outcome) => outcome.updated)`,
    says: `Property 'updated' does not exist on type`,
  },
  {
    title: 'a field that is not called',
    code: `defineKind(9, 'odd', { name: text })`,
    says: `is not assignable to type 'AnyField'`,
  },
  {
    title: 'a default of a wrong type',
    code: `defineKind(9, 'odd', { age: integer().default('x') })`,
    says: `Argument of type 'string' is not assignable to parameter of type 'number | (() => number)'`,
  },
  {
    title: 'a schema that gives another type than it takes',
    code: `defineKind(9, 'odd', z.object({ size: z.string().transform(Number) }))`,
    says: `'a kind stores what its schema gives, so the schema must take it too`,
  },
  {
    title: 'a schema of no object',
    code: `defineKind(9, 'odd', z.string())`,
    says: `is not assignable to parameter of type 'KindDefinition'`,
  },
  {
    title: 'a kind that is none',
    code: `db.kind({ number: 1, name: 'user' })`,
    says: `is not assignable to parameter of type 'AnyKind'`,
  },
  {
    title: 'a value of another kind in a transaction',
    code: `db.transaction(5, (tx) => tx.kind(ZodPhoto).put(ada))`,
    says: `is missing the following properties from type`,
  },
]

/** The module of a mistake. */
export function moduleOf({ code }: Mistake): string {
  return [
    `import { defineKind, integer, text, type Datastore, type InferInput, type KindStore } from 'pg-hypervault'`,
    `import { z } from 'zod'`,
    `import { ada, Link, photoKey, photos, User, userKey, users, ZodPhoto } from './kinds.js'`,
    `declare const db: Datastore`,
    `declare const link: InferInput<typeof Link>`,
    `export const used = { ada, db, defineKind, integer, link, Link, photoKey, photos, text, User, userKey, users, z, ZodPhoto }`,
    `export type Used = KindStore<typeof User>`,
    `export const mistake = () => { ${code} }`,
  ].join('\n')
}
