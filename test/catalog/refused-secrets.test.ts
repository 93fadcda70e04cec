import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SecretsOptions } from '../../src/catalog/secret-places.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { provision } from '../../src/schema/provision.ts'
import { certificate } from '../support/certificate.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { startGreedyServer, type GreedyServer } from '../support/greedy-server.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { startTlsServer } from '../support/tls-server.ts'
import { until } from '../support/until.ts'

/*
 * The catalog is written by somebody else: server s2, with the shards 3 and 4, is where and what he says.
 */

let fleet: TestFleet
let folder: string

beforeEach(async () => {
  fleet = await createFleet()
  folder = makeTemporaryFolder('secrets')
})

afterEach(async () => {
  delete process.env.PGPASSWORD
  await fleet[Symbol.asyncDispose]()
})

const open = (secrets?: SecretsOptions): Promise<Datastore> =>
  Datastore.open({ catalog: { ...fleet.catalogConnection }, secrets })

/** Writes the row of s2: what is given beside a row that is right. */
async function write(settings: object, serverId = 's2'): Promise<void> {
  const right = settingsOf(fleet.connections[Number(serverId.slice(1)) - 1]!)
  await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({
      text: 'update hypervault.servers set settings = $1 where server_id = $2',
      values: [JSON.stringify({ ...right, ...settings }), serverId],
    }),
  )
}

function writePassword(serverId: string): string {
  const file = join(folder, serverId)
  writeFileSync(file, `${fleet.connections[Number(serverId.slice(1)) - 1]?.password}\n`)
  return file
}

async function refusalOf(db: Datastore): Promise<{ message: string; hint: string }> {
  const error: unknown = await db.put(3, 1, {}).catch((each: unknown) => each)
  expect(error).toMatchObject({ code: 'HV_SERVER_UNUSABLE', retryable: false, details: { serverId: 's2' } })
  await db.put(1, 1, {})
  return error as { message: string; hint: string }
}

describe('a secret that the application does not allow', () => {
  it.each([
    ['a file', { password: { file: '/etc/hostname' } }, "secrets: { folders: ['/etc'] }"],
    ['a variable', { password: { env: 'HOME' } }, "secrets: { variablePrefixes: ['HOME'] }"],
    ['the variable of the catalog', { password: { env: 'HYPERVAULT_CATALOG' } }, 'variablePrefixes'],
    ['a key', { ssl: { key: { file: '/etc/hostname' } } }, "secrets: { folders: ['/etc'] }"],
  ])('as %s makes only its server unusable, and the hint names the option', async (_, settings, remedy) => {
    await using greedy = await startGreedyServer()
    await write({ ...settings, host: '127.0.0.1', port: greedy.port })
    await using db = await open()
    const { hint } = await refusalOf(db)
    expect(hint).toContain(remedy)
    await expect(db.shard(3).query('select 1')).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    const { findings } = await operator.doctor()
    expect(findings.find(({ kind }) => kind === 'server-unusable')?.remedy).toContain(remedy)
    await expect(operator.planMove(1, { to: 's2' })).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    expect(greedy.received).toBe('')
  })

  it('is read when it is in an allowed folder', async () => {
    await write({ password: { file: writePassword('s2') } })
    await using refusing = await open()
    expect((await refusalOf(refusing)).hint).toContain(`secrets: { folders: ['${folder}'] }`)
    await using db = await open({ folders: [folder] })
    expect((await db.get(await db.put(3, 1, { a: 'b' })))?.body).toEqual({ a: 'b' })
    const client = new Client(db.shard(3).pool.options)
    await client.connect()
    await client.end()
  })

  it('is refused by lists that take the place of the defaults', async () => {
    await using db = await open({ variablePrefixes: ['NOTHING_'] })
    for (const shardId of [1, 3]) {
      await expect(db.put(shardId, 1, {})).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    }
  })
})

describe('a host', () => {
  let greedy: GreedyServer

  beforeEach(async () => {
    greedy = await startGreedyServer()
  })

  afterEach(() => greedy[Symbol.asyncDispose]())

  it('that the application does not know is not connected to', async () => {
    await write({ host: '127.0.0.1', port: greedy.port })
    await write({ host: 'localhost' }, 's1')
    await using db = await open({ hosts: ['localhost', '*.db.internal'] })
    expect((await refusalOf(db)).hint).toContain("secrets: { hosts: ['127.0.0.1'] }")
    await using operator = await Fleet.open({
      catalog: { ...fleet.catalogConnection },
      secrets: { hosts: ['localhost'] },
    })
    await expect(operator.planMove(1, { to: 's2' })).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    expect(greedy.connections).toBe(0)
  })

  it('that is left out is that of this process, and looked at as well', async () => {
    await write({ host: undefined, port: greedy.port })
    await write({ host: '127.0.0.1' }, 's1')
    await using db = await open({ hosts: ['127.0.0.1'] })
    expect((await refusalOf(db)).message).toContain('to name the host localhost')
  })
})

describe('a server that wants the password in clear text', () => {
  let greedy: GreedyServer

  beforeEach(async () => {
    greedy = await startGreedyServer()
  })

  afterEach(() => greedy[Symbol.asyncDispose]())

  it.each([
    ['a variable', () => ({}), () => undefined],
    ['a file', () => ({ password: { file: writePassword('s2') } }), () => undefined],
    ['the variable of pg', () => ({ password: undefined }), () => (process.env.PGPASSWORD = 'lovelace')],
  ])('does not get it without TLS, from %s', async (_, settings, prepare) => {
    prepare()
    const secret = new RegExp(`lovelace|${fleet.connections[1]?.password}`)
    await write({ ...settings(), host: '127.0.0.1', port: greedy.port })
    await using db = await open({ folders: [folder] })
    const { message } = await refusalOf(db)
    expect(message).toContain('clear text on a connection without TLS')
    const shown = new (db.shard(3).pool as unknown as { Client: typeof Client }).Client()
    await expect(shown.connect()).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection }, secrets: { folders: [folder] } })
    await expect(operator.planMove(1, { to: 's2' })).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    expect(greedy.connections).toBeGreaterThan(2)
    expect(greedy.received).toContain('user')
    expect(greedy.received).not.toMatch(secret)
  })

  it('gets that of connections, which the application has named itself', async () => {
    const connection = { host: '127.0.0.1', port: greedy.port, user: 'u', database: 'd', password: 'lovelace' }
    await using db = new Datastore({ connections: [{ ...connection, shards: '1-2' }] })
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED' })
    expect(greedy.received).toContain('lovelace')
  })
})

describe('a server with TLS', () => {
  let server: EmbeddedServer

  beforeAll(async () => {
    server = await startTlsServer(['host clear all 127.0.0.1/32 password'])
    await using db = new Datastore({ connections: [{ ...server.connection, shards: '1-2' }] })
    await db.cursor(1, (client) => client.query('create database clear'))
    const { connection } = server
    await provision([{ ...connection, database: 'clear', ssl: { ca: certificate }, shards: '3-5' }])
  })

  afterAll(() => server.stop())

  it('gets the password in clear text', async () => {
    const [ca, password] = [join(folder, 'ca.pem'), join(folder, 'password')]
    writeFileSync(ca, certificate)
    writeFileSync(password, server.password)
    const at = {
      host: '127.0.0.1',
      port: server.port,
      user: server.user,
      database: 'clear',
      password: { file: password },
    }
    await write(at)
    await using db = await open({ folders: [folder] })
    expect((await refusalOf(db)).message).toContain('clear text')
    await write({ ...at, ssl: { ca: { file: ca } } })
    await until('it is put right', () => db.put(3, 1, {}).then(Boolean, () => false))
    const client = new Client(db.shard(3).pool.options)
    await client.connect()
    await client.end()
  })
})

describe('a move between servers whose passwords are in an allowed folder', () => {
  it('gives the subscription its password, is proved, completed and reversed', async () => {
    for (const serverId of ['s1', 's2', 's3']) await write({ password: { file: writePassword(serverId) } }, serverId)
    await using refused = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
    await expect(refused.moveShard(1, { to: 's3' })).rejects.toMatchObject({ code: 'HV_SERVER_UNUSABLE' })
    await using db = await open({ folders: [folder] })
    const key = await db.put(1, 1, { a: 'b' })
    await using operator = await Fleet.open({ catalog: { ...fleet.catalogConnection }, secrets: { folders: [folder] } })
    const { moveId } = (await operator.moves({ isOver: false }))[0]!
    await operator.abort(moveId)
    const moved = await operator.moveShard(1, { to: 's3', maxPauseMs: 5_000 })
    expect((await db.get(key))?.body).toEqual({ a: 'b' })
    expect(db.topology.getServer(1).serverId).toBe('s3')
    await operator.reverse(moved.moveId, { maxPauseMs: 5_000 })
    const again = await operator.moveShard(2, { to: 's2', maxPauseMs: 5_000 })
    await operator.complete(again.moveId)
    expect((await operator.doctor()).findings).toEqual([])
  })
})
