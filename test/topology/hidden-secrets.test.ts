import { inspect } from 'node:util'
import pg, { Client } from 'pg'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { formatConnectionString } from '../../src/embedded/server-connection.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { planProvision } from '../../src/schema/provision.ts'
import { parseConnections, type ConnectionEntry } from '../../src/topology/connection-entry.ts'
import { hideSecrets } from '../../src/topology/hidden-secrets.ts'
import { certificate, encryptedKey, key, passphrase } from '../support/certificate.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { startTlsServer } from '../support/tls-server.ts'

/*
 * Each object that a caller can get hold of and from which a secret can be reached, printed in each way. Servers for
 * development (`startCluster`) are left out: they are thrown away, and what they print is how to connect to them.
 */

let fleet: TestFleet
let things: ReadonlyMap<string, unknown>
let secrets: readonly string[]
const open: (() => Promise<void>)[] = []

const tlsEntry: ConnectionEntry = {
  shards: '5-6',
  host: '127.0.0.1',
  port: 1,
  password: 'secret-of-the-entry',
  ssl: { rejectUnauthorized: false, cert: certificate, key: encryptedKey, passphrase },
}
const brokenEntries: ConnectionEntry[] = [
  { shards: '6-7', host: '127.0.0.1', port: 1, ssl: { pfx: Buffer.from('secret-of-the-pfx'), passphrase } },
  { shards: '7-8', connectionString: 'postgres://ada:secret-of-the-url@[::x/db' },
  {
    shards: '8-9',
    connectionString: 'postgres://ada@127.0.0.1:1/db?password=secret-of-the-query&sslpassword=secret-two',
  },
]

beforeAll(async () => {
  fleet = await createFleet()
  things = await makeThings()
  const bodyOf = (pem: string): string[] => pem.split('\n').filter((line) => line.length > 40)
  const passwords = [fleet.catalogConnection, ...fleet.connections].map(({ password }) => password)
  const inBuffer = inspect(Buffer.from('secret-of-the-pfx')).slice(8, 40)
  const written = [
    'secret-of-the-entry',
    'secret-of-the-url',
    'secret-of-the-query',
    'secret-two',
    passphrase,
    inBuffer,
  ]
  secrets = [...new Set([...passwords, ...written, ...bodyOf(encryptedKey), ...bodyOf(key)])]
})

afterAll(async () => {
  await Promise.all(open.map((close) => close()))
  await fleet[Symbol.asyncDispose]()
})

async function makeThings(): Promise<Map<string, unknown>> {
  const [first, second] = fleet.connections as [ServerConnection, ServerConnection]
  const catalogUrl = formatConnectionString(fleet.catalogConnection)
  const entries = [
    { ...first, shards: '1-3' },
    { shards: '3-5', connectionString: formatConnectionString(second) },
    tlsEntry,
    ...brokenEntries,
  ]
  const db = new Datastore({ connections: entries })
  const followed = await Datastore.open({ catalog: catalogUrl })
  const operator = await Fleet.open({ catalog: { ...fleet.catalogConnection } })
  const catalog = new Catalog(catalogUrl)
  const lent = await db.getConnection(3)
  const client = await db.shard(3).pool.connect()
  open.push(
    async () => lent[Symbol.asyncDispose](),
    () => Promise.resolve(client.release()),
    () => db.disconnect(),
    () => followed.disconnect(),
    () => operator.close(),
    () => catalog.close(),
  )
  const wrong = new Datastore({ connections: [{ ...first, shards: '1-3', user: 'nobody-at-all' }] })
  const errorOf = (failing: Promise<unknown>): Promise<unknown> => failing.then(String, (error: unknown) => error)
  const own = { describe: () => db.shard(5).pool.options, make: () => new pg.Client(db.shard(5).pool.options) }
  const made = new Map<string, unknown>([
    ['a datastore', db],
    ['a datastore of a catalog', followed],
    ['a topology', db.topology],
    ['a topology of a catalog', followed.topology],
    ['a fleet', operator],
    ['the record of a fleet', await operator.readFleet()],
    ['a catalog', catalog],
    ['the configuration of a catalog', catalog.clientConfig],
    ['a shard', db.shard(1)],
    ['a pool of a shard', db.shard(3).pool],
    ['a lent connection', lent],
    ['a client of a pool of a shard', client],
    ['the options of a pool with TLS', own.describe()],
    ['a client of pg by these options', own.make()],
    ['a client of a class of a pool', new (db.shard(5).pool as unknown as { Client: typeof Client }).Client()],
    ['the indexes', db.indexes],
    ['the migrations', db.migrations],
    ['the figures', db.stats()],
    ['a plan', await planProvision([{ ...first, shards: '1-3' }])],
    ['an error of a port', await errorOf(db.put(5, 1, {}))],
    ['an error of a login', await errorOf(wrong.put(1, 1, {}))],
    ['an error of a pfx', await errorOf(db.put(6, 1, {}))],
    ['an error of a connection string', await errorOf(db.put(7, 1, {}))],
    ['an error of a pool', await errorOf(db.shard(5).pool.connect())],
  ])
  db.topology.servers.forEach((server, index) => {
    made.set(`server ${index + 1}`, server)
    made.set(`the configuration of server ${index + 1}`, server.clientConfig)
    made.set(`the TLS of server ${index + 1}`, server.clientConfig.ssl)
  })
  await wrong.disconnect()
  return made
}

const ways: Record<string, (thing: unknown) => string> = {
  inspect: (thing) => inspect(thing, { depth: null, maxArrayLength: null, maxStringLength: null, showHidden: false }),
  'console.log': (thing) => inspect(thing),
  JSON: (thing) => tryJson(thing),
  'a copy, inspected': (thing) => inspect({ ...(thing as object) }, { depth: null, maxStringLength: null }),
  'a copy as JSON': (thing) => tryJson({ ...(thing as object) }),
  text: (thing) => (thing instanceof Error ? `${thing.stack}` : Object.prototype.toString.call(thing)),
  pino: (thing) => {
    const lines: string[] = []
    const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
    logger.info({ thing }, 'as a field')
    logger.error(thing, 'as the object')
    logger.error({ err: thing })
    return lines.join('')
  },
}

/** What refers to itself cannot be written as JSON. */
function tryJson(thing: unknown): string {
  try {
    return JSON.stringify(thing) ?? ''
  } catch (error) {
    if (error instanceof TypeError) return ''
    throw error
  }
}

describe('no secret is seen', () => {
  it.each(Object.keys(ways))('by %s of whatever can be got hold of', (way) => {
    const seen = [...things].flatMap(([name, thing]) => {
      const text = ways[way]?.(thing) ?? ''
      return secrets.filter((secret) => text.includes(secret)).map((secret) => `${name}: ${secret}`)
    })
    expect(seen).toEqual([])
  })

  it('because there are things to be looked at', () => {
    expect(things.size).toBeGreaterThan(35)
    expect(secrets.length).toBeGreaterThan(8)
    expect([...things].filter(([, thing]) => typeof thing === 'string')).toEqual([])
  })
})

describe('a configuration whose secrets are hidden', () => {
  const login = { host: 'db1', user: 'ada', password: 'lovelace' }

  it.each<[string, object, object]>([
    ['is as it was', login, { host: 'db1', user: 'ada', password: 'lovelace' }],
    [
      'is the parts of a connection string, which win',
      { ...login, database: 'x', connectionString: 'postgres://bob:b%40b@db2:5433/y?application_name=n' },
      { host: 'db2', port: '5433', user: 'bob', password: 'b@b', database: 'y', application_name: 'n' },
    ],
    [
      'keeps a password beside a connection string without one',
      { password: 'lovelace', connectionString: 'postgres://bob@db2' },
      { host: 'db2', user: 'bob', password: 'lovelace' },
    ],
    [
      'has TLS of a connection string',
      { connectionString: 'postgres://db2?sslmode=require' },
      { host: 'db2', ssl: {} },
    ],
  ])('%s', (_, given, expected) => {
    const config = hideSecrets(given)
    expect({ ...config, password: config.password }).toEqual(expected)
    expect(Object.keys(config)).not.toContain('password')
    expect(hideSecrets(config)).toBe(config)
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('keeps a connection string that cannot be read, so that connecting tells of it', () => {
    const connectionString = 'postgres://ada:l@[::x/db'
    const [server] = parseConnections([{ shards: '1-2', connectionString }])
    expect(server?.clientConfig).toMatchObject({ connectionString })
    expect(Object.keys(server?.clientConfig ?? {})).toEqual([])
  })

  it('leads a client of pg where the connection string did', async () => {
    const [first] = fleet.connections as [ServerConnection]
    const [server] = parseConnections([{ shards: '1-2', connectionString: formatConnectionString(first) }])
    const client = new Client(server?.clientConfig)
    await client.connect()
    const { rows } = await client.query('select current_database() as name')
    expect(rows).toEqual([{ name: first.database }])
    await client.end()
  })
})

describe('a key under a passphrase', () => {
  let server: EmbeddedServer

  beforeAll(async () => {
    server = await startTlsServer(['hostssl certified all 127.0.0.1/32 cert', 'host certified all 127.0.0.1/32 reject'])
    await using db = new Datastore({ connections: [{ ...server.connection, shards: '1-2' }] })
    await db.cursor(1, (client) => client.query('create database certified'))
  })

  afterAll(() => server.stop())

  it('still opens connections: of the datastore, and by copies of what a pool shows', async () => {
    const { password: _, ...connection } = { ...server.connection, database: 'certified' }
    const ssl = { ca: certificate, cert: certificate, key: encryptedKey, passphrase }
    await using db = new Datastore({ connections: [{ ...connection, shards: '1-2', ssl }] })
    const text = 'select ssl, client_dn from pg_stat_ssl where pid = pg_backend_pid()'
    const expected = [{ ssl: true, client_dn: '/CN=postgres' }]
    expect((await db.cursor(1, (client) => client.query(text))).rows).toEqual(expected)
    const { pool } = db.shard(1)
    for (const client of [new Client({ ...pool.options }), new Client(db.topology.servers[0]?.clientConfig)]) {
      await client.connect()
      expect((await client.query(text)).rows).toEqual(expected)
      await client.end()
    }
  })

  it('is needed there', async () => {
    const { password: _, ...connection } = { ...server.connection, database: 'certified' }
    await using db = new Datastore({ connections: [{ ...connection, shards: '1-2', ssl: { ca: certificate } }] })
    await expect(db.cursor(1, () => 1)).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED' })
  })
})
