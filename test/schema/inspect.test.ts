import type { ClientConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertSupported, inspectServer } from '../../src/schema/inspect.ts'
import { provision } from '../../src/schema/provision.ts'
import { listShardSizes } from '../../src/schema/shard-sizes.ts'
import { countStatements } from '../support/count-statements.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'
import { entriesOf, numbers, poolOf, withClient } from './servers.ts'

let databases: TestDatabases
let config: ClientConfig

beforeAll(async () => {
  databases = await createDatabases(1)
  config = databases.connections[0] as ClientConfig
  await provision(entriesOf(databases, '1-501'))
  await withClient(config, async (client) => {
    // Nobody analyses it behind the back of the test.
    await client.query('alter table shard0007.entities set (autovacuum_enabled = off)')
    await client.query("insert into shard0007.entities (type, body) select 1, '' from generate_series(1, 1000)")
    await client.query('create table shard0007.extra as select from generate_series(1, 1000)')
    await client.query('create schema shard9999; create schema shard12; create schema shard0600')
  })
})
afterAll(() => databases.drop())

describe('inspecting a server', () => {
  it('takes a few statements for 500 shards', async () => {
    await using pool = poolOf(config)
    await (await pool.acquire())[Symbol.asyncDispose]()
    const count = await countStatements(async () => {
      const { shards } = await inspectServer(pool)
      expect([...shards.keys()].sort((a, b) => a - b)).toEqual([...numbers(1, 500), 600])
    })
    expect(count).toBeGreaterThan(3)
    expect(count).toBeLessThan(12)
  })

  it('tells version, and the parts of each shard', async () => {
    await using pool = poolOf(config)
    const { version, versionNumber, hstoreSchema, shards } = await inspectServer(pool)
    expect(version).toMatch(/^\d+\.\d+$/)
    expect(Math.floor(versionNumber / 10_000)).toBe(Number.parseInt(version, 10))
    expect(hstoreSchema).toBe('public')
    expect(shards.get(7)).toMatchObject({ shardId: 7, sequence: { cache: 1 }, otherObjects: ['extra'] })
    expect(shards.get(600)).toEqual({
      shardId: 600,
      sequence: undefined,
      nextId: undefined,
      entities: undefined,
      hasStates: false,
      canCreate: true,
      otherObjects: [],
    })
  })

  it('refuses a PostgreSQL older than 15, and takes 15', () => {
    const facts = { serverId: 's1', version: '14.13', versionNumber: 140_013, hstoreSchema: undefined }
    expect(() => assertSupported(facts)).toThrow(
      expect.objectContaining({
        code: 'HV_SERVER_UNSUPPORTED',
        details: { serverId: 's1', version: '14.13' },
      }) as Error,
    )
    expect(() => assertSupported({ ...facts, version: '15.0', versionNumber: 150_000 })).not.toThrow()
  })
})

describe('the sizes of shards', () => {
  it('count entities exactly when asked to', async () => {
    await using pool = poolOf(config)
    const sizes = await listShardSizes(pool, { isExact: true })
    expect(sizes.map(({ shardId }) => shardId)).toEqual(numbers(1, 500))
    expect(sizes.filter(({ entities }) => entities > 0)).toMatchObject([{ shardId: 7, entities: 1000 }])
  })

  it('are estimated in one statement otherwise, also for a table that was never analysed', async () => {
    await using pool = poolOf(config)
    await (await pool.acquire())[Symbol.asyncDispose]()
    expect(await countStatements(() => listShardSizes(pool))).toBe(1)
    await until('the counters of the writers have arrived', async () => {
      const size = (await listShardSizes(pool)).find(({ shardId }) => shardId === 7)
      return size?.entities === 1000
    })
  })

  it('hold the bytes of all tables with their indexes', async () => {
    await using pool = poolOf(config)
    const [small, large] = (await listShardSizes(pool)).filter(({ shardId }) => [6, 7].includes(shardId))
    expect(small?.bytes).toBe(40_960)
    const { rows } = await withClient(config, (client) =>
      client.query<{ bytes: string }>(
        "select sum(pg_total_relation_size(relation)) as bytes from unnest(array['shard0007.entities', 'shard0007.extra', 'shard0007.hv_migrations']::regclass[]) as relation",
      ),
    )
    expect(large?.bytes).toBe(Number(rows[0]?.bytes))
  })
})
