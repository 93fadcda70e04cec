import { chownSync, copyFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { getUnprivilegedIdentity } from '../../src/embedded/unprivileged.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveProgress } from '../../src/fleet/move/move-context.ts'
import type { Logger } from '../../src/pool/logger.ts'
import { startFleet, type FleetOfServers } from '../support/fleet-servers.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

/*
 * Servers with TLS, and four roles: one owns the shards, one moves them, one is the application, and one keeps the catalog. None of
 * them is a superuser. What is granted here is what docs/guide/moving-shards.md says.
 */

const SECRET = 'p4ss of the mover'

let servers: FleetOfServers

/** A key must belong to the user of the server, and nobody else may read it. */
function placeTlsFile(folder: string, name: string): string {
  const path = join(folder, name)
  copyFileSync(new URL(`fixtures/${name}`, import.meta.url), path)
  chmodSync(path, 0o600)
  const { uid, gid } = getUnprivilegedIdentity()
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
  return path
}

const roles = `
  create role keeper;
  create role mover login password '${SECRET}';
  create role app login password 'p4ss of the app'`

const shards = `
  alter schema shard0001 owner to keeper;
  alter table shard0001.entities owner to keeper;
  alter table shard0001.hv_migrations owner to keeper;
  alter sequence shard0001.table_id_seq owner to keeper;
  alter function shard0001.next_id() owner to keeper;
  alter function shard0001.hv_spread() owner to keeper;
  grant usage on schema shard0001 to app;
  grant select, insert, update, delete on shard0001.entities to app;
  grant usage on sequence shard0001.table_id_seq to app`

/** What the preflight says to type, for each server. */
const grants = [
  'alter role mover replication',
  'grant pg_create_subscription to mover',
  'grant create on database postgres to mover',
  'grant keeper to mover',
]

beforeAll(async () => {
  const folder = makeTemporaryFolder('tls')
  chmodSync(folder, 0o711)
  servers = await startFleet({
    ssl: true,
    ssl_cert_file: placeTlsFile(folder, 'server.crt'),
    ssl_key_file: placeTlsFile(folder, 'server.key'),
  })
  process.env['HV_TEST_MOVER'] = SECRET
  process.env['HV_TEST_APP'] = 'p4ss of the app'
  await Promise.all(
    [0, 1, 2].map((server) => queryServer(servers, server, `${roles}; grant create on database postgres to keeper`)),
  )
  await queryServer(servers, 0, shards)
  await queryServer(
    servers,
    'catalog',
    `${roles}; grant usage on schema hypervault to mover, app;
    grant select on all tables in schema hypervault to mover, app;
    grant insert, update on all tables in schema hypervault to mover`,
  )
})

afterAll(async () => {
  delete process.env['PGUSER']
  await servers[Symbol.asyncDispose]()
})

/** Registers the servers anew, as this role reaches them. */
async function actAs(user: string, secret: string): Promise<void> {
  const settings = { user, password: { env: secret }, ssl: { rejectUnauthorized: false } }
  await queryServer(
    servers,
    'catalog',
    `update hypervault.servers set settings = settings || '${JSON.stringify(settings)}'`,
  )
}

function catalogAs(user: string, password: string): object {
  return { ...servers.catalogConnection, user, password }
}

async function openFleet(): Promise<Fleet> {
  return await Fleet.open({ catalog: catalogAs('mover', SECRET) })
}

async function listProblems(fleet: Fleet): Promise<readonly string[]> {
  return (await fleet.planMove(1, { to: 's3' })).problems
}

/** Everything that the catalog holds, as text. */
async function dumpCatalog(): Promise<string> {
  const tables = ['servers', 'moves', 'move_steps', 'cleanups', 'history', 'leases']
  const rows = await Promise.all(
    tables.map((table) => queryServer(servers, 'catalog', `select row_to_json(each) from hypervault.${table} as each`)),
  )
  return JSON.stringify(rows)
}

describe('a role that is no superuser', () => {
  it('is told each grant that it lacks, on each server, ready to be typed', async () => {
    await actAs('mover', 'HV_TEST_MOVER')
    await using fleet = await openFleet()
    const problems = await listProblems(fleet)
    // A doctor has no eyes for what this role may not read, but for everything else.
    const { findings, servers: seen } = await fleet.doctor()
    expect(seen.every(({ isReachable }) => isReachable)).toBe(true)
    expect(findings.map(({ what, remedy }) => `${what}: ${remedy}`)).toEqual(
      expect.arrayContaining(problems as string[]),
    )
    for (const [server, serverId] of [[0, 's1'] as const, [2, 's3'] as const]) {
      const told = problems.filter((problem) => problem.startsWith(`server ${serverId} `))
      expect(told.map((problem) => problem.split(': ').at(-1))).toEqual(grants)
      for (const grant of grants) await queryServer(servers, server, grant)
    }
    expect(problems).toHaveLength(2 * grants.length)
    expect(await listProblems(fleet)).toEqual([])
    expect((await fleet.doctor()).findings.filter(({ shardId }) => shardId === 1)).toEqual([])
  })

  it('moves a shard of another role over TLS, back, and for good, and no secret is seen', async () => {
    const lines: string[] = []
    const note = (...words: unknown[]): void => void lines.push(JSON.stringify(words))
    const logger: Logger = { debug: note, warn: note }
    const events: MoveProgress[] = []
    await using fleet = await Fleet.open({ catalog: catalogAs('mover', SECRET), logger })
    await actAs('app', 'HV_TEST_APP')
    await using db = await Datastore.open({ catalog: catalogAs('app', 'p4ss of the app') })
    const first = await db.put(1, 1, { n: 'first' })
    await actAs('mover', 'HV_TEST_MOVER')
    const onProgress = (event: MoveProgress): void => void events.push(event)
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onProgress })
    const [stream] = await queryServer(
      servers,
      2,
      `select usename, ssl from pg_stat_replication join pg_stat_ssl using (pid)`,
    )
    expect(stream).toEqual(['mover', true])
    expect(await fleet.reverse(moveId, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [], rows: 2 })
    const throttled = { throttleBytesPerSecond: 10_000_000, maxPauseMs: 60_000 }
    const again = await fleet.moveShard(1, { to: 's3', ...throttled })
    await fleet.complete(again.moveId)
    const client = new Client({ ...servers.connections[2], user: 'app', password: 'p4ss of the app' })
    await client.connect()
    await client.query("insert into shard0001.entities (type, body) values (2, '')")
    const { rows } = await client.query('select id::text from shard0001.entities order by id')
    await client.end()
    expect(rows).toEqual([{ id: String(first) }, { id: expect.any(String) as string }])
    const [owner] = await queryServer(
      servers,
      2,
      "select nspowner::regrole::text from pg_namespace where nspname = 'shard0001'",
    )
    expect(owner).toEqual(['keeper'])
    expect(await listLeftovers(servers)).toEqual([])
    const plan = await fleet.planMove(2, { to: 's3' })
    const words = [...lines, JSON.stringify(events), JSON.stringify(plan), await dumpCatalog()].join('\n')
    expect(words).not.toContain(SECRET)
  })

  it('whose password the other server refuses is told so, without the password', async () => {
    await queryServer(servers, 0, shards.replaceAll('shard0001', 'shard0002'))
    // Who acts may also be said by the process, so that the application and the operator share a catalog.
    await queryServer(servers, 'catalog', "update hypervault.servers set settings = settings - 'user'")
    process.env['PGUSER'] = 'mover'
    await using fleet = await openFleet()
    const onCheckpoint = async (place: string): Promise<void> => {
      // From here on the servers do not let each other in; the sessions of the operator are open.
      if (place === 'slot done') await queryServer(servers, 0, "alter role mover password 'another one'")
    }
    const error: unknown = await fleet.moveShard(2, { to: 's3', onCheckpoint }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'HV_MOVE_UNREACHABLE',
      message: expect.stringContaining('password authentication failed for user "mover"') as string,
      details: { from: 's3', to: 's1' },
    })
    expect(`${inspect(error, { depth: 9 })} ${await dumpCatalog()}`).not.toContain(SECRET)
    await queryServer(servers, 0, `alter role mover password '${SECRET}'`)
    const [move] = await fleet.moves()
    await fleet.abort(move?.moveId ?? 0)
    expect(await listLeftovers(servers)).toEqual([])
  })
})
