import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { dropPublication } from '../../src/fleet/move/drop-publication.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { queryServer } from './fleet-query.ts'

let servers: TestFleet
let link: FleetLink

beforeAll(async () => {
  servers = await createFleet()
  link = new FleetLink(
    {
      serverId: 's1',
      settings: settingsOf(servers.connections[0] as (typeof servers.connections)[0]),
    },
    new SecretPlaces(),
  )
  await queryServer(
    servers,
    0,
    "insert into shard0001.entities (type, body) select n, '' from generate_series(1, 8) as n",
  )
})

afterAll(async () => {
  await link[Symbol.asyncDispose]()
  await servers[Symbol.asyncDispose]()
})

/** Updates one row again and again, and gives what went wrong. */
async function update(type: number, signal: AbortSignal): Promise<string[]> {
  const client = new Client(servers.connections[0])
  await client.connect()
  const failures: string[] = []
  while (!signal.aborted) {
    const text = 'update shard0001.entities set type = type where type = $1'
    await client.query(text, [type]).catch((error: unknown) => failures.push(String(error)))
  }
  await client.end()
  return failures
}

it('a publication that is dropped fails no update of its tables', async () => {
  const isOver = new AbortController()
  const writers = [1, 2, 3, 4, 5, 6, 7, 8].map((type) => update(type, isOver.signal))
  await link.withSession(async (session) => {
    for (let times = 0; times < 600; times += 1) {
      await session.execute(['create publication hv_move_1 for table shard0001.entities'])
      await dropPublication(session, 'hv_move_1')
    }
  })
  isOver.abort()
  expect((await Promise.all(writers)).flat()).toEqual([])
  expect(await queryServer(servers, 0, 'select from pg_publication')).toEqual([])
})

it('a publication is dropped in the end though a transaction holds its table', async () => {
  await queryServer(servers, 0, 'create publication hv_move_2 for table shard0001.entities')
  const client = new Client(servers.connections[0])
  await client.connect()
  await client.query('begin; update shard0001.entities set type = type')
  await link.withSession((session) => dropPublication(session, 'hv_move_2', 2))
  await client.query('commit')
  await client.end()
  expect(await queryServer(servers, 0, 'select from pg_publication')).toEqual([])
})
