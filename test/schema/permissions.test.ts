import { randomBytes } from 'node:crypto'
import type { ClientConfig } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { inspect, rejectionOf, withClient } from './servers.ts'

let databases: TestDatabases
let owner: ClientConfig
let limited: ClientConfig

const admin = (sql: string): Promise<unknown> => withClient(owner, (client) => client.query(sql))
const connections = (): { shards: string }[] => [{ ...limited, shards: '1-4' }]

beforeEach(async () => {
  databases = await createDatabases(1)
  owner = databases.connections[0] as ClientConfig
  limited = { ...owner, user: `hv_limited_${randomBytes(6).toString('hex')}`, password: 'limited' }
  await admin(`create role ${limited.user} login password 'limited'`)
})
afterEach(async () => {
  await admin(`reassign owned by ${limited.user} to current_user; drop owned by ${limited.user}`)
  await admin(`drop role ${limited.user}`)
  await databases.drop()
})

describe('a role that is no superuser', () => {
  it('is told how to get hstore when it may not create it', async () => {
    expect(await rejectionOf(provision(connections()))).toMatchObject({
      code: 'HV_EXTENSION_MISSING',
      details: { serverId: 's1', extension: 'hstore' },
      hint: expect.stringContaining('create extension hstore') as string,
    })
  })

  it('is told what it lacks when it may not create schemas', async () => {
    await admin('create extension hstore')
    expect(await rejectionOf(provision(connections()))).toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      details: { serverId: 's1', sqlstate: '42501' },
      hint: expect.stringContaining('grant create on database') as string,
    })
  })

  it('makes everything, the extension included, when it may create in the database', async () => {
    await admin(
      `do $$ begin execute format('grant create on database %I to ${limited.user}', current_database()); end $$`,
    )
    expect(await provision(connections())).toMatchObject({ servers: [{ created: [1, 2, 3] }] })
  })

  it('may use shards of the original that it does not own: they are left as they are', async () => {
    await withClient(owner, (client) => createOriginalShards(client, { first: 1, last: 3, withUpdated: false }))
    for (const schema of ['shard0001', 'shard0002', 'shard0003']) {
      await admin(`grant usage on schema ${schema} to ${limited.user};
        grant all on all tables in schema ${schema} to ${limited.user};
        grant all on all sequences in schema ${schema} to ${limited.user}`)
    }
    expect(await provision(connections())).toMatchObject({ servers: [{ unchanged: [1, 2, 3] }] })
    expect((await inspect(owner)).shards.get(2)).toMatchObject({ nextId: { language: 'plpgsql' } })
    await withClient(limited, (client) => client.query("insert into shard0002.entities (type, body) values (1, '')"))
  })
})
