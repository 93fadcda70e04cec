import { createServer } from 'node:net'
import type { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HypervaultError } from '../../src/errors.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'
import { entriesOf, inspect, numbers, rejectionOf, wholeShards, withClient } from './servers.ts'

let databases: TestDatabases

beforeEach(async () => void (databases = await createDatabases(2)))
afterEach(() => databases.drop())

const LOCK_CLASS = 0x68767368

/** The session that waits for a lock in this database, once there is one. */
async function waitForBlocked(client: Client): Promise<number> {
  let pid: number | undefined
  await until('a session waits for a lock', async () => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    pid = rows[0]?.pid
    return pid !== undefined
  })
  return pid ?? NaN
}

/** Makes a provisioning wait at a chosen place, ends its backend there, and gives its error. */
async function killAt(obstacle: string): Promise<unknown> {
  return withClient(databases.connections[0], (client) =>
    withClient(databases.connections[0], async (observer) => {
      await client.query(`begin; ${obstacle}`)
      const failure = rejectionOf(provision(entriesOf(databases, '1-13'), { shardsPerTransaction: 4 }))
      await observer.query('select pg_terminate_backend($1, 5000)', [await waitForBlocked(observer)])
      await client.query('rollback')
      return failure
    }),
  )
}

describe('a provisioning that is killed', () => {
  it.each([
    ['before the extension', `select pg_advisory_xact_lock(${LOCK_CLASS}, -1)`, []],
    ['before the first transaction', `select pg_advisory_xact_lock(${LOCK_CLASS}, 2)`, []],
    ['inside the first transaction', 'create schema shard0003', []],
    ['between two transactions', `select pg_advisory_xact_lock(${LOCK_CLASS}, 5)`, numbers(1, 4)],
    ['inside the second transaction', 'create schema shard0008', numbers(1, 4)],
    ['inside the last transaction', 'create schema shard0012', numbers(1, 8)],
  ])('%s leaves whole shards, and the next run completes them', async (_, obstacle, left) => {
    expect(await killAt(obstacle)).toMatchObject({ code: 'HV_CONNECTION_LOST', details: { sqlstate: '57P01' } })
    expect(await wholeShards(databases.connections[0])).toEqual(left)
    expect((await inspect(databases.connections[0])).shards.size).toBe(left.length)
    const { servers } = await provision(entriesOf(databases, '1-13'))
    expect(servers).toMatchObject([{ unchanged: left, created: numbers(left.length + 1, 12) }])
  })
})

describe('a provisioning that is aborted', () => {
  it('stops after the transaction under way, with the reason, and the next run completes it', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = provision(entriesOf(databases, '1-13'), {
      shardsPerTransaction: 4,
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done === 8) controller.abort(reason)
      },
    })
    expect(await rejectionOf(aborted)).toBe(reason)
    expect(await wholeShards(databases.connections[0])).toEqual(numbers(1, 8))
    expect(await provision(entriesOf(databases, '1-13'))).toMatchObject({ servers: [{ created: numbers(9, 12) }] })
  })

  it('before it begins touches nothing', async () => {
    const reason = new Error('not at all')
    const aborted = provision(entriesOf(databases, '1-3'), { signal: AbortSignal.abort(reason) })
    expect(await rejectionOf(aborted)).toBe(reason)
    expect(await wholeShards(databases.connections[0])).toEqual([])
  })
})

describe('two provisionings at once', () => {
  it('share the work, and none fails', async () => {
    const connections = entriesOf(databases, '1-41', '41-81')
    const reports = await Promise.all([
      provision(connections, { shardsPerTransaction: 3 }),
      provision(connections, { shardsPerTransaction: 7, connectionsPerServer: 2 }),
      provision(connections, { shardsPerTransaction: 5 }),
    ])
    for (const [index, shards] of [numbers(1, 40), numbers(41, 80)].entries()) {
      const created = reports.flatMap(({ servers }) => servers[index]?.created ?? [])
      expect(created.sort((a, b) => a - b)).toEqual(shards)
      expect(await wholeShards(databases.connections[index])).toEqual(shards)
    }
  })

  it('wait for each other no longer than told, and then say so', async () => {
    await withClient(databases.connections[0], async (client) => {
      await client.query(`begin; select pg_advisory_xact_lock(${LOCK_CLASS}, 2)`)
      const error = (await rejectionOf(
        provision(entriesOf(databases, '1-5'), { lockTimeoutMs: 50 }),
      )) as HypervaultError
      expect(error).toMatchObject({ code: 'HV_SERVER_BUSY', details: { serverId: 's1' } })
      expect(error.message).toContain('another provisioning')
      await client.query('rollback')
    })
    expect(await provision(entriesOf(databases, '1-5'))).toMatchObject({ servers: [{ created: numbers(1, 4) }] })
  })
})

describe('a server that fails', () => {
  it('while shards are made does not stop the others', async () => {
    await withClient(databases.connections[1], async (client) => {
      await client.query(`begin; select pg_advisory_xact_lock(${LOCK_CLASS}, 20)`)
      const failed = provision(entriesOf(databases, '1-13', '13-25'), { shardsPerTransaction: 4, lockTimeoutMs: 50 })
      expect(await rejectionOf(failed)).toMatchObject({
        code: 'HV_PROVISION_FAILED',
        retryable: true,
        details: { failures: [{ serverId: 's2', code: 'HV_SERVER_BUSY' }] },
      })
      await client.query('rollback')
    })
    expect(await wholeShards(databases.connections[0])).toEqual(numbers(1, 12))
    expect(await wholeShards(databases.connections[1])).toEqual(numbers(13, 16))
  })

  it('to be inspected stops all, because a shard could be there already', async () => {
    const connections = [...entriesOf(databases, '1-5'), { shards: '5-9', host: '127.0.0.1', port: await closedPort() }]
    expect(await rejectionOf(provision(connections))).toMatchObject({
      code: 'HV_PROVISION_FAILED',
      details: { failures: [{ serverId: 's2', code: 'HV_CONNECT_FAILED' }] },
    })
    expect(await wholeShards(databases.connections[0])).toEqual([])
  })

  it('gives its own error when it is the only one', async () => {
    const connections = [{ shards: '5-9', id: 'lonely', host: '127.0.0.1', port: await closedPort() }]
    expect(await rejectionOf(provision(connections))).toMatchObject({
      code: 'HV_CONNECT_FAILED',
      details: { serverId: 'lonely' },
    })
  })
})

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
