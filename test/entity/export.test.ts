import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type Body, type ConnectionEntry, type Entity, type ExportOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]
let db: Datastore
const entities: Entity[] = []

const bodies: Body[] = [
  { name: 'Ankara', note: null },
  { name: '', note: 'a,b' },
  { note: 'say "hi"\nand\r\nbye\rthere' },
  { name: ' İzmir 東 ' },
  JSON.parse('{"__proto__":"x","name":"NULL"}') as Body,
]

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, n) => ({ ...connection, shards: n === 0 ? '1-3' : '3-5' }))
  await provision(connections)
  db = new Datastore({ connections })
  for (let n = 0; n < 60; n += 1) await db.put((n % 4) + 1, n % 3, bodies[n % bodies.length]!)
  const [entity] = await db.find(1)
  await db.update(entity!.key, { set: { more: 'x' } })
  for await (const each of db.scan()) entities.push(each)
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

/** What an export writes, as text, and how it ends. */
async function exported(options: ExportOptions): Promise<string> {
  const chunks: Buffer[] = []
  const { bytes, entities } = await db.exportTo((chunk) => void chunks.push(chunk), { pageSize: 7, ...options })
  const text = Buffer.concat(chunks)
  expect(bytes).toBe(text.length)
  expect(entities).toBe(60)
  return text.toString()
}

describe('an export', () => {
  it('writes a line of JSON for each entity, in the order of the scan', async () => {
    const lines = (await exported({ order: 'desc' })).split('\n')
    expect(lines.pop()).toBe('')
    const expected = [...entities].reverse().map(({ key, kind, body, updated }) => ({
      key: String(key),
      shard: key.shardId,
      kind,
      created: key.created.toISOString(),
      updated: updated?.toISOString() ?? null,
      body,
    }))
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(expected)
    expect(lines[0]).toMatch(/^\{"key":"\d+","shard":4,"kind":2,"created":"[^"]+Z","updated":null,"body":\{/)
  })

  it('writes CSV with the body as JSON', async () => {
    const [header, ...rows] = parse(await exported({ format: 'csv' }))
    expect(header).toEqual(['key', 'shard', 'kind', 'created', 'updated', 'body'])
    expect(rows.map(([key, , kind, , , body]) => [key, Number(kind), JSON.parse(body!) as Body])).toEqual(
      entities.map(({ key, kind, body }) => [String(key), kind, body]),
    )
    expect(rows.filter(([, , , , updated]) => updated !== '')).toHaveLength(1)
  })

  it('writes CSV with columns of the body, and tells an empty text from what is not there', async () => {
    const text = await exported({ format: 'csv', columns: ['note', 'name'], header: false })
    const cast = (value: string, { quoting }: { quoting: boolean }): string | null =>
      value === '' && !quoting ? null : value
    const rows = parse(text, { cast })
    expect(rows.map((row) => row.slice(5))).toEqual(entities.map(({ body }) => [body.note ?? null, body.name ?? null]))
  })

  it('goes on from its cursor, behind the bytes that were taken', async () => {
    const whole = await exported({ format: 'csv' })
    let taken = ''
    let cursor: string | undefined
    const sink = (chunk: Buffer): void => {
      if (taken.length > whole.length / 2) throw new Error('full')
      taken += chunk.toString('latin1')
    }
    const onProgress: ExportOptions['onProgress'] = (progress) => (cursor = progress.cursor)
    await expect(db.exportTo(sink, { format: 'csv', pageSize: 9, onProgress })).rejects.toThrow('full')
    const rest: Buffer[] = []
    await db.exportTo((chunk) => void rest.push(chunk), { format: 'csv', after: cursor! })
    expect(Buffer.from(taken + Buffer.concat(rest).toString('latin1'), 'latin1').toString()).toBe(whole)
  })

  it('waits for a stream that is slow, and leaves it open and as it was', async () => {
    const stream = new PassThrough({ highWaterMark: 1 })
    let pages = 0
    const exporting = db.exportTo(stream, { pageSize: 5, onProgress: () => (pages += 1) })
    await once(stream, 'readable')
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    expect(pages).toBeLessThan(3)
    stream.resume()
    const { entities, hasMore } = await exporting
    expect([entities, hasMore, pages]).toEqual([60, false, 12])
    expect(stream.writableEnded).toBe(false)
    expect(stream.listenerCount('error')).toBe(0)
  })

  it('ends by the error of its stream', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) })
    await expect(db.exportTo(stream)).rejects.toThrow('disk full')
    await expect(db.exportTo(stream)).rejects.toThrow()
  })

  it('ends by its signal while a stream does not take anything', async () => {
    const controller = new AbortController()
    const stream = new Writable({ write: () => controller.abort(new Error('enough')) })
    await expect(db.exportTo(stream, { signal: controller.signal })).rejects.toThrow('enough')
  })

  it.each<[unknown, typeof TypeError | typeof RangeError, string]>([
    [5, TypeError, 'an export takes an object of options, got number'],
    [{ format: 'xml' }, RangeError, "format must be 'ndjson' or 'csv', got 'xml'"],
    [{ columns: ['a'] }, TypeError, "columns is an option of the format 'csv' only"],
    [{ format: 'csv', columns: 'a' }, TypeError, 'columns must be an array, got string'],
    [{ format: 'csv', columns: ['a', 5] }, TypeError, 'columns[1] must be a string, got number'],
    [{ format: 'csv', columns: ['a', 'a'] }, RangeError, 'columns[1] is the same as columns[0]'],
    [{ format: 'csv', columns: ['kind'] }, RangeError, "columns[0] must not be 'kind', which every line has"],
    [{ format: 'csv', header: 1 }, TypeError, 'header must be true or false, got number'],
    [{ onProgress: 1 }, TypeError, 'onProgress must be a function, got number'],
    [{ limits: 1 }, TypeError, 'unknown option limits'],
  ])('with %j is refused', async (options, type, message) => {
    const error: unknown = await db
      .exportTo(() => undefined, options as ExportOptions)
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toContain(message)
  })

  it('to something else than a stream or a function is refused', async () => {
    await expect(db.exportTo('file.csv' as never)).rejects.toThrow(
      new TypeError('target must be a writable stream or a function, got string'),
    )
  })
})
