import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { queryServer } from '../fleet/fleet-query.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import type { CliResult } from './run-cli.ts'
import { runInProcess } from './run-in-process.ts'

/** All that a catalog holds: epoch, history, servers, placements, moves with their journals, clean-ups, leases. */
const contents = `
select
  tablename,
  query_to_xml(format('select hv_row::text from hypervault.%I as hv_row', tablename), true, false, '')::text
from pg_tables where schemaname = 'hypervault' order by 1`

/** What is in the database of a server, by what creates or replaces it. */
const objects = `
select 'relation', nspname || '.' || relname, relfilenode::text, pg_class.xmin::text
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname !~ '^(pg_|information_schema)'
union all select 'schema', nspname, '', xmin::text from pg_namespace where nspname !~ '^pg_(toast_)?temp'
union all select 'function', oid::regprocedure::text, '', xmin::text from pg_proc
where pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
union all select 'trigger', tgrelid::regclass || ' ' || tgname, tgenabled::text, xmin::text from pg_trigger
union all select 'publication', pubname, '', xmin::text from pg_publication
union all select 'subscription', subname, subenabled::text, xmin::text from pg_subscription
where subdbid = (select oid from pg_database where datname = current_database())
union all select 'slot', slot_name, '', '' from pg_replication_slots where database = current_database()
order by 1, 2`

const indexName = 'hv_index_k1_email'
let servers: TestFleet
let fleet: Fleet
let env: Record<string, string>

/** Move 1 has its way back, move 2 stopped before its switch; s9 is to hold shard 9, s8 nothing. */
beforeAll(async () => {
  servers = await createFleet(4)
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const { user, password, host, port, database } = servers.catalogConnection
  env = { HYPERVAULT_CATALOG: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}` }
  await fleet.addServer('s8', settingsOf(servers.connections[3]!))
  await fleet.addServer('s9', settingsOf(servers.connections[3]!), { shardIds: [9] })
  await fleet.moveShard(1, { to: 's4', maxPauseMs: 60_000 })
  const onCheckpoint = (): never => {
    throw new Error('stopped')
  }
  await expect(fleet.moveShard(3, { to: 's4', onCheckpoint })).rejects.toThrow('stopped')
}, 120_000)

afterAll(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const run = (typed: string): Promise<CliResult> => runInProcess(typed.split(' '), { cwd: '/', env })

const readAll = (): Promise<unknown[][][]> =>
  Promise.all([
    queryServer(servers, 'catalog', contents),
    ...servers.connections.map((_, server) => queryServer(servers, server, objects)),
  ])

/** Each command that changes a fleet, so that it would be done without its last word. */
const commands = (): string[] => {
  const { host, port, user, database } = servers.connections[3]!
  const where = `--host ${host} --port ${port} --user ${user} --database ${database}`
  const connections = JSON.stringify([{ host, port, user, database, shards: '20-22', id: 's7' }])
  return [
    'move complete 1',
    'move reverse 1',
    'move resume 1',
    'move abort 2',
    'move resume 2',
    'move 2 --to s4',
    'move 2 --to s4 --keep-reverse 0ms',
    'rebalance --apply --by count',
    `server add s7 ${where} --shards 30-32 --no-check`,
    'server set s2 --user somebody',
    'server drain s2',
    'server activate s2',
    'server remove s8',
    'catalog init',
    `catalog init --catalog postgres://${user}:${servers.connections[3]!.password}@${host}:${port}/${database}`,
    `catalog import --connections ${connections}`,
    'index create email --kind 1',
    `index drop ${indexName}`,
    'spread set 1-3',
  ]
}

describe('a dry run', () => {
  it('of every command that changes a fleet leaves epoch, journals, schemas and all else as they were', async () => {
    const before = await readAll()
    for (const command of commands()) {
      const { exitCode, stderr } = await run(`${command} --dry-run`)
      expect({ command, exitCode, stderr }).toMatchObject({ exitCode: 0 })
      expect(await readAll(), command).toEqual(before)
    }
  })

  it.each([
    ['move abort 1', 'abort is possible only when it is'],
    ['move complete 2', 'complete is possible only when it is'],
    ['move reverse 99', 'move 99'],
    ['server remove s1', 'still has'],
    ['server drain nope', 'nope'],
  ])('of "%s" is refused as the command itself would be', async (command, what) => {
    const before = await readAll()
    const { exitCode, stderr } = await run(`${command} --dry-run`)
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(what) as string })
    expect(await readAll()).toEqual(before)
  })
})
