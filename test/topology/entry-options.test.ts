import { describe, expect, it } from 'vitest'
import { parseConnections } from '../../src/topology/connection-entry.ts'
import { Datastore } from '../../src/index.ts'

const entry = { shards: '1-9', host: '127.0.0.1' }

describe('an option in an entry of connections', () => {
  it.each([
    ['max', 'write poolMax'],
    ['min', 'leave it out'],
    ['idleTimeoutMillis', 'idleTimeoutMs beside connections'],
    ['connectionTimeoutMillis', 'connectTimeoutMs'],
    ['maxUses', 'lifetimeMs'],
    ['maxLifetimeSeconds', 'lifetimeMs'],
    ['allowExitOnIdle', 'disconnect()'],
    ['onConnect', 'options'],
    ['Client', 'leave it out'],
    ['log', 'logger'],
    ['poolBlockTimeoutMs', 'beside connections'],
    ['epochMs', 'beside connections'],
    ['spread', 'beside connections'],
    ['username', 'write user'],
    ['url', 'write connectionString'],
    ['sslmode', 'write ssl'],
    ['hsot', 'it takes shards, id, poolMax, and what pg takes (host, '],
    ['toString', 'it takes shards'],
    ['constructor', 'it takes shards'],
  ])('that is not honoured is refused by name: %s', (name, remedy) => {
    const connections = [entry, { ...entry, shards: '9-17', [name]: 'secret' }]
    const construct = (): Datastore => new Datastore({ connections })
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(`connections[1] has`)
    expect(construct).toThrow(name)
    expect(construct).toThrow(remedy)
    expect(construct).not.toThrow('secret')
  })

  it.each([
    { host: 'h', port: 5433, user: 'u', password: 'p', database: 'd' },
    { password: () => Promise.resolve('p') },
    { ssl: { rejectUnauthorized: false }, sslnegotiation: 'direct', enableChannelBinding: true },
    { application_name: 'a', fallback_application_name: 'b', options: '-c work_mem=64MB', client_encoding: 'utf8' },
    { statement_timeout: 1, query_timeout: 1, lock_timeout: 1, idle_in_transaction_session_timeout: 1 },
    {
      keepAlive: true,
      keepAliveInitialDelayMillis: 1,
      stream: () => undefined,
      types: { getTypeParser: () => String },
    },
  ])('that pg takes is passed on untouched: %o', (options) => {
    expect(parseConnections([{ ...entry, ...options }])[0]?.clientConfig).toMatchObject({
      host: '127.0.0.1',
      ...options,
    })
  })

  it('that is undefined is as if it were not there', () => {
    expect(parseConnections([{ ...entry, max: undefined, poolMax: undefined }])[0]?.poolMax).toBeUndefined()
  })

  it.each([
    [0, 'connections[0].poolMax must be an integer from 1 to 10000, got 0'],
    ['5', 'connections[0].poolMax must be a number, got string'],
  ])('that is a wrong number is named: poolMax %o', (poolMax, message) => {
    expect(() => parseConnections([{ ...entry, poolMax }])).toThrow(message)
  })
})

it('a server has as many connections as its own poolMax says', async () => {
  await using db = new Datastore({
    connections: [
      { ...entry, poolMax: 2 },
      { ...entry, shards: '9-17' },
    ],
    poolMax: 5,
  })
  expect([1, 9].map((shardId) => db.shard(shardId).pool.options.max)).toEqual([2, 5])
})
