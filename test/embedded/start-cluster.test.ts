import { expect, it, onTestFinished, vi } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { startCluster } from '../../src/testing.ts'
import { OwnTemporaryFolder } from './own-temporary-folder.ts'
import { isListening } from './port.ts'
import { query } from './query.ts'

vi.stubEnv('HYPERVAULT_PG_BIN', '')

const countShards = `select count(*)::int from pg_tables where schemaname ~ '^shard[0-9]+$' and tablename = 'entities'`

it('a cluster has its shards spread evenly, and a datastore works on it', async () => {
  await using cluster = await startCluster()
  expect(cluster.connections.map(({ shards }) => shards)).toEqual(['1-9', '9-17'])
  await using db = new Datastore({ connections: cluster.connections })
  const keys = await Promise.all([db.put(1, 1, { at: 'first' }), db.put(16, 1, { at: 'last' })])
  const found = await db.getMany(keys)
  expect(found.map((entity) => entity?.body)).toEqual([{ at: 'first' }, { at: 'last' }])
})

it('servers, shards and version can be chosen', async () => {
  await using cluster = await startCluster({ servers: 3, shards: '100-108', version: 15 })
  expect(cluster.connections.map(({ shards }) => shards)).toEqual(['100-103', '103-106', '106-108'])
  expect(cluster.servers.map(({ version }) => version)).toEqual([15, 15, 15])
  const counts = await Promise.all(cluster.connections.map((connection) => query(connection, countShards)))
  expect(counts).toEqual([[3], [3], [2]])
})

it('a stopped cluster leaves nothing, and can be stopped twice', async () => {
  const folder = useOwnTemporaryFolder()
  const cluster = await startCluster({ shards: '1-3' })
  await cluster.stop()
  await cluster.stop()
  const ports = await Promise.all(cluster.connections.map(({ port }) => isListening(port)))
  expect([ports, folder.list()]).toEqual([[false, false], []])
})

it('a cluster with a catalog has a server to move shards to, and leaves nothing either', async () => {
  const folder = useOwnTemporaryFolder()
  const cluster = await startCluster({ servers: 3, shards: '1-5', catalog: true })
  const { catalog = '' } = cluster
  expect(cluster.connections.map(({ shards }) => shards)).toEqual(['1-3', '3-5'])
  await using db = await Datastore.open({ catalog })
  expect(db.topology.servers.map(({ serverId, shardIds }) => [serverId, shardIds])).toEqual([
    ['s1', [1, 2]],
    ['s2', [3, 4]],
    ['s3', []],
  ])
  expect((await db.get(await db.put(4, 1, { beep: 'boop' })))?.body).toEqual({ beep: 'boop' })
  await db.disconnect()
  await cluster.stop()
  expect(folder.list()).toEqual([])
})

it('a cluster that cannot be provisioned leaves nothing', async () => {
  const folder = useOwnTemporaryFolder()
  const cluster = startCluster({ settings: { default_transaction_read_only: true } })
  await expect(cluster).rejects.toMatchObject({ code: expect.stringMatching(/^HV_/) })
  expect(folder.list()).toEqual([])
})

it('a cluster of which one server does not start leaves nothing', async () => {
  const folder = useOwnTemporaryFolder()
  const cluster = startCluster({ settings: { shared_buffers: 'none' } })
  await expect(cluster).rejects.toMatchObject({ code: 'HV_EMBEDDED_START_FAILED' })
  expect(folder.list()).toEqual([])
})

it.each([
  [{ servers: 0 }, 'servers must be an integer from 1 to 8192, got 0'],
  [{ servers: 1.5 }, 'servers must be an integer from 1 to 8192, got 1.5'],
  [{ servers: '2' as never }, 'servers must be a number, got string'],
  [{ shards: '9-1' }, "shards '9-1' is reversed"],
  [{ servers: 2, serversWithShards: 3 }, 'serversWithShards must be at most 2, got 3'],
  [{ servers: 3, shards: '1-3' }, '2 shards cannot be spread over 3 servers'],
])('the options %j are refused before anything is started', async (options, message) => {
  const folder = useOwnTemporaryFolder()
  await expect(startCluster(options)).rejects.toThrow(message)
  expect(folder.list()).toEqual([])
})

function useOwnTemporaryFolder(): OwnTemporaryFolder {
  const folder = new OwnTemporaryFolder()
  vi.stubEnv('TMPDIR', folder.path)
  onTestFinished(() => {
    vi.stubEnv('TMPDIR', undefined)
    folder[Symbol.dispose]()
  })
  return folder
}
