import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planProvision, provision, type ProvisionPlan } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { entriesOf, inspect, withClient } from './servers.ts'

let databases: TestDatabases

beforeEach(async () => void (databases = await createDatabases(2)))
afterEach(() => databases.drop())

/** Runs the SQL of a plan by hand, on the servers that it is for. */
async function runByHand({ servers }: ProvisionPlan): Promise<void> {
  for (const [index, { transactions }] of servers.entries()) {
    await withClient(databases.connections[index], async (client) => {
      for (const transaction of transactions) await client.query(transaction)
    })
  }
}

describe('a plan', () => {
  it('changes nothing', async () => {
    await planProvision(entriesOf(databases, '1-5', '5-9'))
    for (const config of databases.connections) {
      expect(await inspect(config)).toMatchObject({ hstoreSchema: undefined, shards: new Map() })
    }
  })

  it('is SQL that makes by hand what provisioning makes', async () => {
    const [byHand, byProvision] = [entriesOf(databases, '1-5'), { ...databases.connections[1], shards: '1-5' }]
    await runByHand(await planProvision(byHand))
    await provision([byProvision])
    const [left, right] = [await inspect(databases.connections[0]), await inspect(databases.connections[1])]
    expect(left.shards.size).toBe(4)
    expect(left.shards).toEqual(right.shards)
    expect(left.hstoreSchema).toBe(right.hstoreSchema)
    expect(await provision(byHand)).toMatchObject({ servers: [{ unchanged: [1, 2, 3, 4] }] })
  })

  it('is SQL that adopts by hand what provisioning adopts', async () => {
    for (const config of databases.connections) {
      await withClient(config, (client) => createOriginalShards(client, { first: 1, last: 2, withUpdated: false }))
    }
    const plan = await planProvision(entriesOf(databases, '1-4'))
    expect(plan.servers[0]?.shards.map(({ outcome }) => outcome)).toEqual(['adopted', 'adopted', 'created'])
    await runByHand(plan)
    await provision([{ ...databases.connections[1], shards: '1-4' }])
    const [left, right] = [await inspect(databases.connections[0]), await inspect(databases.connections[1])]
    expect(left.shards).toEqual(right.shards)
  })

  it('has no statements when everything is there', async () => {
    await provision(entriesOf(databases, '1-5'))
    const { servers } = await planProvision(entriesOf(databases, '1-5'))
    expect(servers).toMatchObject([{ serverId: 's1', transactions: [] }])
    expect(servers[0]?.shards).toHaveLength(4)
  })

  it('keeps to the bound of shards per transaction, and gives an adopted shard one for itself', async () => {
    await withClient(databases.connections[0], (client) =>
      createOriginalShards(client, { first: 1, last: 2, withUpdated: false }),
    )
    const { servers } = await planProvision(entriesOf(databases, '1-10'), { shardsPerTransaction: 3 })
    const tables = servers[0]?.transactions.map((sql) => sql.match(/(create|alter) table \w+\.entities/g)?.length)
    expect(tables).toEqual([3, 3, 1, 1, 1])
  })

  it('drops nothing', async () => {
    await withClient(databases.connections[0], (client) =>
      createOriginalShards(client, { first: 1, last: 2, withUpdated: false }),
    )
    const { servers } = await planProvision(entriesOf(databases, '1-4'))
    expect(servers[0]?.transactions.join('\n')).not.toMatch(/drop|truncate|delete/i)
  })
})
