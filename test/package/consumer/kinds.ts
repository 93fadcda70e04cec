import { type } from 'arktype'
import {
  bigint,
  boolean,
  bytes,
  custom,
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
  type Datastore,
  type FieldIssue,
  type InferInput,
  type InferOutput,
  type KeyOf,
  type KindChangeOutcome,
  type KindEntity,
  type KindStore,
} from 'pg-hypervault'
import * as v from 'valibot'
import { z } from 'zod'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

export const User = defineKind(1, 'user', {
  name: text(),
  age: integer(),
  born: timestamp(),
  tags: json<string[]>(),
  balance: bigint(),
  bio: text().optional(),
  role: oneOf('admin', 'member').default('member'),
  nick: text().nullable(),
})

export const userInput: Same<
  InferInput<typeof User>,
  {
    name: string
    age: number
    born: Date
    tags: string[]
    balance: bigint
    nick: string | null
    bio?: string | undefined
    role?: 'admin' | 'member' | undefined
  }
> = true

export const userOutput: Same<
  InferOutput<typeof User>,
  {
    name: string
    age: number
    born: Date
    tags: string[]
    balance: bigint
    role: 'admin' | 'member'
    nick: string | null
    bio?: string
  }
> = true

/** A type of one's own, and every other field there is. */
const url = custom<URL>({ write: String, read: (stored) => new URL(stored) })
export const Link = defineKind(2, 'link', {
  url,
  owner: reference('user'),
  weight: number().default(() => Math.random()),
  isPublic: boolean(),
  token: uuid().nullable().optional(),
  icon: bytes().optional(),
  meta: json(z.object({ title: z.string() })),
  any: json(),
})

/** The same kind in the words of three libraries. */
export const ZodPhoto = defineKind(
  3,
  'photo',
  z.object({ title: z.string(), taken: z.date(), size: z.number().default(0) }),
)
export const ValibotPhoto = defineKind(
  3,
  'photo',
  v.object({ title: v.string(), taken: v.date(), size: v.optional(v.number(), 0) }),
)
export const ArktypePhoto = defineKind(3, 'photo', type({ title: 'string', taken: 'Date', size: 'number = 0' }))

interface Photo {
  title: string
  taken: Date
  size: number
}

export const photoOutputs: [
  Same<InferOutput<typeof ZodPhoto>, Photo>,
  Same<InferOutput<typeof ValibotPhoto>, Photo>,
  Same<InferOutput<typeof ArktypePhoto>, Photo>,
] = [true, true, true]

declare const db: Datastore
export const users = db.kind(User)
export const photos = db.kind(ZodPhoto)
export declare const userKey: KeyOf<typeof User>
export declare const photoKey: KeyOf<typeof ZodPhoto>
export const ada: InferInput<typeof User> = {
  name: 'Ada',
  age: 36,
  born: new Date(0),
  tags: [],
  balance: 1n,
  nick: null,
}

export async function useKinds(): Promise<string | undefined> {
  const key: KeyOf<typeof User> = await users.put(5, ada, { signal: AbortSignal.timeout(1_000) })
  const keys = await users.putMany(5, [ada, { ...ada, bio: undefined, role: 'admin' }])
  const user: KindEntity<typeof User> | undefined = await users.get(key)
  const role: 'admin' | 'member' | undefined = user?.value.role
  const bios: (string | undefined)[] = (await users.getMany(keys)).map((each) => each?.value.bio)
  await db.kind(ValibotPhoto).put(5, { title: 'x', taken: new Date() })
  await db.kind(ArktypePhoto).put(5, { title: 'x', taken: new Date() })
  const photoKey = await photos.put(5, { title: 'x', taken: new Date(), size: 1 })
  await photos.update(photoKey, { set: { title: 'y' }, unset: ['size'] })
  await photos.find(5, { where: { equals: { title: 'y', taken: new Date() }, has: 'size' } })
  const title = (await photos.get(new Key(1n)))?.value.title
  const plain: Key = key
  const link = { url: new URL('http://x'), owner: key, isPublic: true, meta: { title: 'x' }, any: 1 }
  await db.kind(Link).put(5, link)
  return role ?? bios[0] ?? title ?? plain.toString()
}

export async function find(): Promise<number> {
  const page = await users.find(5, {
    where: { equals: { name: 'Ada', age: 36, role: 'admin' }, contains: { nick: null }, hasAll: ['bio', 'tags'] },
    order: 'desc',
    limit: 10,
  })
  const last = page.at(-1)
  if (last !== undefined) await users.find(5, { after: last.key, createdAfter: last.key.created })
  let sum = 0
  for await (const { value } of users.scan({ where: { equals: { age: 36 } } })) sum += value.age
  for await (const { entities, cursor } of users.scan({ pageSize: 10 }).pages()) sum += entities.length + cursor.length
  return sum + (await users.count({ where: { has: 'bio' } })).total
}

export async function change(): Promise<string> {
  const condition = { ifUpdatedAt: null }
  const outcome: KindChangeOutcome<typeof User> = await users.update(
    userKey,
    { set: { age: 37, nick: null, role: 'member' }, unset: ['bio', 'role'] },
    condition,
  )
  if (outcome.status === 'conflict') return outcome.current.value.name
  const isGone: boolean = await users.delete(userKey)
  const deleted = await users.delete(userKey, condition)
  await users.replace(userKey, ada, { ifBody: {} })
  return isGone ? deleted.status : outcome.status
}

export async function inTransaction(): Promise<number | undefined> {
  return db.transaction(5, async (tx) => {
    const key = await tx.kind(User).put(ada)
    await tx.kind(User).update(key, { set: { age: 1 } })
    return (await tx.kind(User).get(key))?.value.age
  })
}

/** For any kind whose values have a name. */
export async function nameOf(store: KindStore<typeof User>, key: KeyOf<typeof User>): Promise<string | undefined> {
  const user = await store.get(key).catch((error: unknown) => {
    if (isHypervaultError(error, 'HV_KIND_MISMATCH')) return undefined
    const issues: readonly FieldIssue[] = issuesOf(error) ?? []
    throw new Error(issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
  })
  return user?.value.name
}
