import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { Datastore, isHypervaultError, type Key, type ConnectionEntry } from '../../src/index.ts'
import { startCluster, type Cluster } from '../../src/testing.ts'
import { until } from '../support/until.ts'

const WRITERS = 24
const BACKENDS_TO_KILL = 100

let cluster: Cluster
let db: Datastore
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled)
  cluster = await startCluster({ servers: 2, shards: '1-9', version: inject('postgresVersion') })
})
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled)
  await cluster.stop()
})
beforeEach(() => {
  db = new Datastore({ connections: cluster.connections, poolMax: 5 })
})
afterEach(() => db.disconnect())

/** Writers that put entities with a body of their own, one after the other, until told to stop. */
class Load {
  readonly acknowledged = new Map<string, Key>()
  readonly failures: unknown[] = []
  #isRunning = true
  readonly #writers: Promise<void>[]

  readonly name: string

  constructor(name: string) {
    this.name = name
    this.#writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer))
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#writers)
  }

  async #write(writer: number): Promise<void> {
    for (let n = 0; this.#isRunning; n += 1) {
      const token = `${this.name}-${writer}-${n}`
      try {
        this.acknowledged.set(token, await db.put(1 + ((writer + n) % 8), 1, { token }))
      } catch (error) {
        this.failures.push(error)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
}

async function onServer<T>(entry: ConnectionEntry, work: (admin: Client) => Promise<T>): Promise<T> {
  const { shards: _shards, ...config } = entry
  const admin = new Client({ ...config, application_name: 'chaos-admin' })
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

async function killSomeBackends(): Promise<number> {
  const killed = await Promise.all(
    cluster.connections.map((entry) =>
      onServer(entry, async (admin) => {
        const { rowCount } = await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name <> 'chaos-admin' and backend_type = 'client backend'`,
        )
        return rowCount ?? 0
      }),
    ),
  )
  return killed.reduce((sum, count) => sum + count)
}

/** How often each token is stored, over all shards. */
async function countTokens(name: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const shardId of db.topology.shardIds) {
    await db.cursor(shardId, async (client) => {
      const { rows } = await client.query<{ token: string }>(
        `select body -> 'token' as token from shard000${shardId}.entities where body -> 'token' like $1`,
        [`${name}-%`],
      )
      for (const { token } of rows) counts.set(token, (counts.get(token) ?? 0) + 1)
    })
  }
  return counts
}

async function expectNothingLost(load: Load): Promise<void> {
  const stored = await countTokens(load.name)
  for (const token of load.acknowledged.keys()) expect([token, stored.get(token)]).toEqual([token, 1])
  for (const [token, count] of stored) expect([token, count]).toEqual([token, 1])
  const keys = [...load.acknowledged.values()]
  const entities = await db.getMany(keys)
  expect(entities.map((entity) => entity?.body.token)).toEqual([...load.acknowledged.keys()])
}

function expectCoded(failures: readonly unknown[]): void {
  expect(failures.filter((failure) => !isHypervaultError(failure))).toEqual([])
}

async function expectFullPool(): Promise<void> {
  const held = await Promise.all(
    [1, 5].flatMap((shardId) => Array.from({ length: 5 }, () => db.getConnection(shardId))),
  )
  expect(db.stats().map(({ total, lent }) => [total, lent])).toEqual([
    [5, 5],
    [5, 5],
  ])
  for (const connection of held) db.putConnection(connection)
}

describe('under load', () => {
  it('a hundred killed backends lose no acknowledged put', async () => {
    const load = new Load('kill')
    await until('the load is running', () => load.acknowledged.size > 500)
    let killed = 0
    await until(
      'enough backends were killed',
      async () => (killed += await killSomeBackends()) >= BACKENDS_TO_KILL,
      30_000,
    )
    const before = load.acknowledged.size
    await until('the load goes on', () => load.acknowledged.size > before + 500)
    await load.stop()
    expect(load.failures.length).toBeGreaterThan(0)
    expectCoded(load.failures)
    await expectNothingLost(load)
    await expectFullPool()
    expect(unhandled).toEqual([])
  })

  it('a server that is killed and started again loses no acknowledged put', async () => {
    const load = new Load('crash')
    for (const server of cluster.servers) {
      const before = load.acknowledged.size
      await until('the load is running', () => load.acknowledged.size > before + 300)
      await server.kill()
      const failures = load.failures.length
      await until('the load notices', () => load.failures.length > failures + 20)
      await server.startAgain()
    }
    const before = load.acknowledged.size
    await until('the load goes on', () => load.acknowledged.size > before + 500)
    await load.stop()
    expectCoded(load.failures)
    await expectNothingLost(load)
    await expectFullPool()
    expect(unhandled).toEqual([])
  })

  it('a server that is shut down fails its own calls only', async () => {
    const [first] = cluster.servers
    await db.put(1, 1, {})
    const key = await db.put(8, 1, { on: 'the other' })
    await first?.shutDown()
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: expect.stringMatching(/^HV_/) as string })
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED', retryable: true })
    expect((await db.get(key))?.body).toEqual({ on: 'the other' })
    await first?.startAgain()
    expect((await db.put(1, 1, {})).shardId).toBe(1)
  })
})
