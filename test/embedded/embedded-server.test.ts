import { existsSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { EmbeddedServer, type EmbeddedServerOptions } from '../../src/embedded/embedded-server.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { until } from '../support/until.ts'
import { OwnTemporaryFolder } from './own-temporary-folder.ts'
import { isListening, occupyPort } from './port.ts'
import { isRunning } from './processes.ts'
import { query } from './query.ts'

vi.stubEnv('HYPERVAULT_PG_BIN', '')

function useOwnTemporaryFolder(): OwnTemporaryFolder {
  const folder = new OwnTemporaryFolder()
  vi.stubEnv('TMPDIR', folder.path)
  onTestFinished(() => {
    vi.stubEnv('TMPDIR', undefined)
    folder[Symbol.dispose]()
  })
  return folder
}

async function start(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const server = await EmbeddedServer.start(options)
  onTestFinished(() => server.stop())
  return server
}

describe('an embedded server', () => {
  it.each([15, 16, 17, 18] as const)('is a PostgreSQL %i with hstore', async (version) => {
    const server = await start({ version })
    const [text] = await query(server.connection, 'select version()')
    expect(text).toMatch(new RegExp(`^PostgreSQL ${version}\\.`))
    expect(server.version).toBe(version)
    await query(server.connection, 'create extension hstore')
    expect(await query(server.connection, `select 'a=>1'::hstore::text`)).toEqual(['"a"=>"1"'])
  })

  it('is a PostgreSQL 18 when no version is asked for', async () => {
    expect((await start()).version).toBe(18)
  })

  it.each([14, 19, '15', null])('of version %j is refused', async (version) => {
    const start = EmbeddedServer.start({ version: version as 15 })
    await expect(start).rejects.toThrow(`version must be one of 15, 16, 17, 18, got ${version}`)
  })

  it('is reached by its connection and by its connection string, with its password alone', async () => {
    const server = await start()
    const { host, port, user, password, database, connection } = server
    expect(connection).toEqual({ host, port, user, password, database })
    expect(server.connectionString).toBe(`postgres://${user}:${password}@127.0.0.1:${port}/${database}`)
    await expect(query({ ...connection, password: 'wrong' }, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  it('has a UTF-8 database in the locale C and the time zone UTC', async () => {
    const { connection } = await start()
    const sql = `select pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || current_setting('timezone')
      from pg_database where datname = current_database()`
    expect(await query(connection, sql)).toEqual(['UTF8 C UTC'])
  })

  it.runIf(process.platform === 'linux')('never runs as root', async () => {
    const { pid } = await start()
    expect(statSync(`/proc/${pid}`).uid).not.toBe(0)
  })

  it.runIf(process.platform === 'linux')('has a session of its own, which a Ctrl-C does not reach', async () => {
    const { pid } = await start()
    const [, , , session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    expect(Number(session)).toBe(pid)
  })

  it('takes settings, also those with quotes and backslashes', async () => {
    const settings = { work_mem: '5MB', max_connections: 17, jit: true, 'my.text': `it's a \\ text` }
    const { connection } = await start({ settings })
    const names = Object.keys(settings).map((name) => `('${name}')`)
    const values = await query(connection, `select current_setting(name) from (values ${names.join()}) as v (name)`)
    expect(values).toEqual(['5MB', '17', 'on', `it's a \\ text`])
  })

  it.each([
    [{ port: 5432 }, 'settings.port cannot be given'],
    [{ 'work mem': '5MB' }, "settings has a name that is none: 'work mem'"],
    [{ work_mem: '5MB\nport = 1' }, 'settings.work_mem must be one line'],
    [{ work_mem: {} as string }, 'settings.work_mem must be a string, a number or a boolean, got object'],
  ])('refuses the settings %j', async (settings, message) => {
    await expect(EmbeddedServer.start({ settings })).rejects.toThrow(message)
  })

  it('leaves no process, port and folder when it is stopped, and can be stopped twice', async () => {
    const folder = useOwnTemporaryFolder()
    const server = await start()
    const { pid, port } = server
    expect(folder.list()).toHaveLength(2)
    await Promise.all([server.stop(), server.stop()])
    await server.stop()
    expect([isRunning(pid), await isListening(port), folder.list()]).toEqual([false, false, []])
    await expect(server.startAgain()).rejects.toThrow('start a new one')
  })

  it('stops although a client is connected and inside a transaction', async () => {
    const server = await start()
    const sleep = query(server.connection, 'select pg_sleep(60)').catch((error: unknown) => error)
    await until('the client is busy', async () => (await countSleepers(server)) === 1)
    await server.stop()
    expect(await sleep).toMatchObject({ code: '57P01' })
  })

  it('shares the runtime folder with the others of its version, and the last takes it away', async () => {
    const folder = useOwnTemporaryFolder()
    const [a, b] = await Promise.all([start(), start()])
    const countRuntimes = (): number => folder.list().filter((name) => name.startsWith('hypervault-runtime-18')).length
    expect(countRuntimes()).toBe(1)
    await a.stop()
    expect(countRuntimes()).toBe(1)
    await b.stop()
    expect(countRuntimes()).toBe(0)
  })

  it('has its data and its port when it starts again after a kill', async () => {
    const server = await start()
    const { pid, port } = server
    await query(server.connection, `create table notes as select 'kept' as note`)
    await server.kill()
    expect([isRunning(pid), await isListening(port)]).toEqual([false, false])
    await server.startAgain()
    expect(await query(server.connection, 'select note from notes')).toEqual(['kept'])
    expect([server.port, server.pid === pid]).toEqual([port, false])
  })

  it('has its data when it starts again after it was shut down', async () => {
    const server = await start()
    await query(server.connection, `create table notes as select 'kept' as note`)
    await server.shutDown()
    expect(await isListening(server.port)).toBe(false)
    await server.startAgain()
    await server.startAgain()
    expect(await query(server.connection, 'select note from notes')).toEqual(['kept'])
  })

  it('gives the end of its log when another process has taken its port', async () => {
    const server = await start()
    await server.shutDown()
    {
      await using _other = await occupyPort(server.port)
      const error = await server.startAgain().catch((error: unknown) => error)
      if (!isHypervaultError(error, 'HV_EMBEDDED_START_FAILED')) throw error
      expect(error.details).toMatchObject({ version: 18, exitCode: 1 })
      expect(error.details.log).toContain('Address already in use')
    }
    await server.startAgain()
  })

  it('that does not start tells why and leaves nothing', async () => {
    const folder = useOwnTemporaryFolder()
    const error = await EmbeddedServer.start({ settings: { wal_level: 'nonsense' } }).catch((error: unknown) => error)
    if (!isHypervaultError(error, 'HV_EMBEDDED_START_FAILED')) throw error
    expect(error.details.log).toContain('invalid value for parameter "wal_level": "nonsense"')
    await folder.untilNothingIsLeft()
  })

  it('whose start is aborted leaves nothing', async () => {
    const folder = useOwnTemporaryFolder()
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const start = EmbeddedServer.start({ signal: controller.signal }).catch((error: unknown) => error)
    await until('initdb is at work', () => folder.list().some((name) => existsSync(`${folder.path}/${name}/data`)))
    controller.abort(reason)
    expect(await start).toBe(reason)
    await folder.untilNothingIsLeft()
  })

  it.runIf(process.platform === 'linux')('that was killed leaves no shared memory when it is stopped', async () => {
    const server = await start()
    const creator = server.pid
    await server.kill()
    const [id] = listSharedMemory(creator)
    expect(id).toBeDefined()
    await server.stop()
    expect(listSharedMemory(creator)).toEqual([])
  })
})

async function countSleepers({ connection }: EmbeddedServer): Promise<number> {
  const sql = `select count(*)::int from pg_stat_activity where wait_event = 'PgSleep'`
  return (await query(connection, sql))[0] as number
}

// Columns of /proc/sysvipc/shm: key, shmid, perms, size, cpid, …
function listSharedMemory(creator: number): string[] {
  const rows = readFileSync('/proc/sysvipc/shm', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  return rows.filter((columns) => Number(columns[4]) === creator).map((columns) => columns[1] ?? '')
}
