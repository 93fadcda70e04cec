import dns from 'node:dns'
import { Client, type ClientConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ServerPool, type ServerPoolOptions } from '../../src/pool/server-pool.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { startSilentServer } from '../support/silent-server.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let clientConfig: ClientConfig

beforeAll(async () => {
  databases = await createDatabases(1)
  clientConfig = databases.connections[0] as ClientConfig
})
afterAll(() => databases.drop())

function poolOf(options: Partial<ServerPoolOptions> = {}): ServerPool {
  return new ServerPool({ serverId: 's1', clientConfig, max: 2, blockTimeoutMs: 5_000, ...options })
}

async function withAdmin<T>(work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client(clientConfig)
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

const terminate = (pid: number): Promise<unknown> =>
  withAdmin((admin) => admin.query('select pg_terminate_backend($1, 5000)', [pid]))

const pidOf = (lease: { client: unknown }): number => (lease.client as { processID: number }).processID

describe('a pool', () => {
  it('opens connections only when they are needed, and lends the last returned first', async () => {
    await using pool = poolOf()
    expect(pool.stats().total).toBe(0)
    const [a, b] = [await pool.acquire(), await pool.acquire()]
    expect(pool.stats()).toMatchObject({ total: 2, lent: 2, idle: 0, created: 2 })
    a.release()
    b.release()
    const next = await pool.acquire()
    expect(next.client).toBe(b.client)
    expect(pool.stats()).toMatchObject({ total: 2, lent: 1, idle: 1, created: 2, destroyed: 0, connecting: 0 })
    next.release()
  })

  it('sets every session to UTC and UTF8', async () => {
    await using pool = poolOf({
      clientConfig: { ...clientConfig, options: '-c timezone=Asia/Tokyo -c client_encoding=LATIN1' },
    })
    await using lease = await pool.acquire()
    const { rows } = await lease.client.query(
      `select current_setting('TimeZone') as zone, current_setting('client_encoding') as encoding`,
    )
    expect(rows).toEqual([{ zone: 'UTC', encoding: 'UTF8' }])
  })

  it('serves waiting callers in the order of their arrival', async () => {
    await using pool = poolOf({ max: 1 })
    const held = await pool.acquire()
    const order: number[] = []
    const waiting = [1, 2, 3].map(async (n) => {
      await using _lease = await pool.acquire()
      order.push(n)
    })
    await until('three callers wait', () => pool.stats().waiting === 3)
    held.release()
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
    expect(pool.stats()).toMatchObject({ created: 1, waits: 3, waiting: 0 })
  })

  it('never opens more connections than it may', async () => {
    await using pool = poolOf({ max: 3 })
    let most = 0
    await Promise.all(
      Array.from({ length: 60 }, async () => {
        await using lease = await pool.acquire()
        await lease.client.query('select 1')
        most = Math.max(most, pool.stats().total)
      }),
    )
    expect(most).toBe(3)
    expect(pool.stats()).toMatchObject({ created: 3, lent: 0, idle: 3 })
  })

  it('lets a caller go after the time-out with the figures of the pool', async () => {
    await using pool = poolOf({ max: 1, blockTimeoutMs: 30 })
    // The first connects, which may take longer than the others are to wait.
    await using _held = await pool.acquire({ timeoutMs: 10_000 })
    const error = await pool.acquire().catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'HV_POOL_TIMEOUT',
      retryable: true,
      details: { serverId: 's1', lent: 1, idle: 0, waiting: 1, total: 1 },
    })
    expect((error as { details: { waitedMs: number } }).details.waitedMs).toBeGreaterThanOrEqual(29)
    expect(pool.stats()).toMatchObject({ timeouts: 1, waiting: 0 })
  })

  it('lets a caller go with the reason of its signal, before and while it waits', async () => {
    await using pool = poolOf({ max: 1 })
    await using _held = await pool.acquire()
    const controller = new AbortController()
    const waiting = pool.acquire({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(pool.acquire({ signal: controller.signal })).rejects.toThrow('enough')
    expect(pool.stats().waiting).toBe(0)
  })
})

describe('a returned connection', () => {
  it('that is inside a transaction is destroyed', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    await lease.client.query('begin')
    lease.release()
    expect(pool.stats()).toMatchObject({ total: 0, idle: 0 })
    await using next = await pool.acquire()
    expect(next.client.getTransactionStatus()).toBe('I')
  })

  it('that is inside a failed transaction is destroyed', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    await lease.client.query('begin')
    await expect(lease.client.query('select 1/0')).rejects.toThrow()
    lease.release()
    expect(pool.stats().idle).toBe(0)
  })

  it('with a statement in flight is destroyed, and the statement fails', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    const running = expect(lease.client.query('select pg_sleep(60)')).rejects.toThrow()
    lease.release()
    expect(pool.stats().idle).toBe(0)
    await running
  })

  it('cannot be returned again', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    lease.release()
    expect(() => lease.release()).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    expect(() => lease.destroy()).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    await lease[Symbol.asyncDispose]()
    expect(pool.stats()).toMatchObject({ lent: 0, idle: 1 })
  })

  it('that has outlived its lifetime is replaced', async () => {
    await using pool = poolOf({ lifetimeMs: 1 })
    const lease = await pool.acquire().catch(() => pool.acquire())
    await until('it is too old', () =>
      Promise.resolve(performance.now() > (lease.client as never as { expiresAt: number }).expiresAt),
    )
    lease.release()
    expect(pool.stats().idle).toBe(0)
  })

  it('lives a time that differs from one connection to the next', async () => {
    await using pool = poolOf({ max: 8, lifetimeMs: 1_000_000 })
    const leases = await Promise.all(Array.from({ length: 8 }, () => pool.acquire()))
    const ends = leases.map(({ client }) => (client as never as { expiresAt: number }).expiresAt - performance.now())
    for (const lease of leases) lease.release()
    expect(Math.max(...ends)).toBeLessThanOrEqual(1_000_000)
    expect(Math.min(...ends)).toBeGreaterThan(790_000)
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(1_000)
  })

  it('that nobody uses is closed after a while', async () => {
    await using pool = poolOf({ idleTimeoutMs: 20 })
    ;(await pool.acquire()).release()
    await until('it is closed', () => pool.stats().total === 0 && pool.stats().destroyed === 1)
  })
})

describe('a backend that dies', () => {
  it('while its connection is idle is replaced', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    const pid = pidOf(lease)
    lease.release()
    await terminate(pid)
    await until('the pool has noticed', () => pool.stats().total === 0)
    await using next = await pool.acquire()
    expect(pidOf(next)).not.toBe(pid)
    expect(pool.stats()).toMatchObject({ created: 2, destroyed: 1 })
  })

  it('while its connection is lent and silent does not end the process', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    const ended = new Promise((resolve) => lease.client.once('end', () => resolve(undefined)))
    await terminate(pidOf(lease))
    await ended
    lease.release()
    expect(pool.stats()).toMatchObject({ total: 0, lent: 0 })
  })

  it('while it works fails that statement only', async () => {
    await using pool = poolOf()
    const lease = await pool.acquire()
    const running = expect(lease.client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57P01' })
    await terminate(pidOf(lease))
    await running
    lease.release()
    await using next = await pool.acquire()
    expect((await next.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

describe('a connection that cannot be opened', () => {
  it('fails its caller with a code and never costs a place', async () => {
    await using pool = poolOf({ clientConfig: { ...clientConfig, password: 'wrong-secret' } })
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const error = await pool.acquire().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'HV_CONNECT_FAILED', retryable: true, details: { serverId: 's1' } })
      expect(JSON.stringify([error, String(error)])).not.toContain('wrong-secret')
    }
    expect(pool.stats()).toMatchObject({ total: 0, lent: 0, connecting: 0, waiting: 0 })
  })

  it.each([
    ['a port that nobody listens on', { host: '127.0.0.1', port: 1 }],
    ['a port that cannot be', { host: '127.0.0.1', port: 99_999 }],
    ['a malformed connection string', { connectionString: 'postgres://user:wrong-secret@host:port/x' }],
    ['a host that does not exist', { host: 'nobody.invalid' }],
    ['a password that throws', { password: () => Promise.reject(new Error('vault is closed')) }],
  ])('because of %s leaves the pool whole', async (_name, wrong) => {
    const pool = poolOf({ clientConfig: { ...clientConfig, ...wrong } })
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => pool.acquire()))
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'HV_CONNECT_FAILED' } })
      expect(String((result as PromiseRejectedResult).reason)).not.toContain('wrong-secret')
    }
    expect(pool.stats()).toMatchObject({ total: 0, lent: 0, connecting: 0, waiting: 0 })
    // A socket that stayed open would hold up the closing until the test's time is over.
    await pool.close({ timeoutMs: 600_000 })
  })

  it('because it hangs gives the time-out in time, and its place afterwards', async () => {
    await using silent = await startSilentServer()
    await using pool = poolOf({
      clientConfig: { host: '127.0.0.1', port: silent.port },
      max: 1,
      blockTimeoutMs: 50,
      connectTimeoutMs: 150,
    })
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT', details: { connecting: 1 } })
    await until('the attempt is given up', () => pool.stats().connecting === 0 && silent.sockets.size === 0)
    await expect(pool.acquire({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED' })
  })

  it.each<[string, ClientConfig]>([
    ['the look-up of its host', { host: 'stalls.invalid' }],
    ['its password', { password: () => new Promise(() => undefined) }],
  ])('because %s stalls gives the time-out in time', async (_name, stalling) => {
    vi.spyOn(dns, 'lookup').mockImplementation(() => undefined)
    await using pool = poolOf({
      clientConfig: { ...clientConfig, ...stalling },
      blockTimeoutMs: 50,
      connectTimeoutMs: 150,
    })
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT' })
    await until('the attempt is given up', () => pool.stats().connecting === 0)
    vi.restoreAllMocks()
  })

  it('but arrives late serves the next caller instead of leaking', async () => {
    const password = String(clientConfig.password)
    let open: (password: string) => void = () => undefined
    const slow = (): Promise<string> => new Promise((resolve) => (open = resolve))
    await using pool = poolOf({ clientConfig: { ...clientConfig, password: slow }, max: 1, blockTimeoutMs: 50 })
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT' })
    const next = pool.acquire({ timeoutMs: 5_000 })
    expect(pool.stats()).toMatchObject({ connecting: 1, waiting: 1 })
    open(password)
    await using lease = await next
    expect((await lease.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(pool.stats()).toMatchObject({ total: 1, lent: 1, created: 1 })
  })

  it('but arrives late when nobody waits is kept idle', async () => {
    const password = String(clientConfig.password)
    let open: (password: string) => void = () => undefined
    const slow = (): Promise<string> => new Promise((resolve) => (open = resolve))
    await using pool = poolOf({ clientConfig: { ...clientConfig, password: slow }, blockTimeoutMs: 50 })
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT' })
    open(password)
    await until('it is idle', () => pool.stats().idle === 1)
    expect(pool.stats()).toMatchObject({ lent: 0, connecting: 0 })
  })
})

describe('a closing pool', () => {
  it('sends waiting and later callers away', async () => {
    const pool = poolOf({ max: 1 })
    const held = await pool.acquire()
    const waiting = expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_CLOSED', details: { serverId: 's1' } })
    const closing = pool.close({ timeoutMs: 60_000 })
    await waiting
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_CLOSED' })
    held.release()
    await closing
    expect(pool.stats()).toMatchObject({ total: 0, created: 1, destroyed: 1 })
  })

  it('cuts what is not returned within the bound, and takes it back later without harm', async () => {
    const pool = poolOf()
    const held = await pool.acquire()
    const running = expect(held.client.query('select pg_sleep(60)')).rejects.toThrow()
    await pool.close({ timeoutMs: 20 })
    await running
    held.release()
    expect(pool.stats()).toMatchObject({ total: 0, lent: 0, destroyed: 1 })
  })

  it('does not wait for a connection that hangs while it is opened', async () => {
    await using silent = await startSilentServer()
    const pool = poolOf({ clientConfig: { host: '127.0.0.1', port: silent.port } })
    const hanging = expect(pool.acquire()).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await until('it is connecting', () => silent.sockets.size === 1)
    await pool.close({ timeoutMs: 20 })
    await hanging
    await until('the socket is gone', () => silent.sockets.size === 0)
  })

  it('may be closed again, and leaves no session on the server', async () => {
    const pool = poolOf({ clientConfig: { ...clientConfig, application_name: 'closing-pool' } })
    const leases = [await pool.acquire(), await pool.acquire()]
    for (const lease of leases) lease.release()
    await Promise.all([pool.close({ timeoutMs: 1_000 }), pool.close({ timeoutMs: 1_000 })])
    await pool.close({ timeoutMs: 1_000 })
    await withAdmin((admin) =>
      until('the sessions are gone', async () => {
        const { rowCount } = await admin.query(`select from pg_stat_activity where application_name = 'closing-pool'`)
        return rowCount === 0
      }),
    )
  })
})
