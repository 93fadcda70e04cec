import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Key } from '../../src/key/key.ts'
import { provision } from '../../src/schema/provision.ts'
import type { ProvisionProgress } from '../../src/schema/provision-options.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { entriesOf, inspect, numbers, rejectionOf, rowsOf, wholeShards, withClient } from './servers.ts'

let databases: TestDatabases

beforeEach(async () => void (databases = await createDatabases(2)))
afterEach(() => databases.drop())

const first = (): TestDatabases['connections'][number] | undefined => databases.connections[0]

describe('provision', () => {
  it('makes the shards of every server where the connections place them', async () => {
    const { servers, unplaced } = await provision(entriesOf(databases, '1-9', '9-17'))
    expect(servers).toMatchObject([
      { serverId: 's1', created: numbers(1, 8), adopted: [], unchanged: [] },
      { serverId: 's2', created: numbers(9, 16), adopted: [], unchanged: [] },
    ])
    expect(unplaced).toEqual([])
    expect(await wholeShards(first())).toEqual(numbers(1, 8))
    expect(await wholeShards(databases.connections[1])).toEqual(numbers(9, 16))
  })

  it('makes exactly the layout that is on the disks of the original, and `updated`', async () => {
    await provision(entriesOf(databases, '5-6'))
    const columns = await rowsOf(
      first(),
      `select column_name, coalesce(domain_name, udt_name) as type, is_nullable, column_default
       from information_schema.columns where table_schema = 'shard0005' and table_name = 'entities' order by ordinal_position`,
    )
    expect(columns).toEqual([
      { column_name: 'id', type: 'int8', is_nullable: 'NO', column_default: 'shard0005.next_id()' },
      { column_name: 'type', type: 'int2', is_nullable: 'NO', column_default: null },
      { column_name: 'body', type: 'hstore', is_nullable: 'NO', column_default: null },
      { column_name: 'updated', type: 'timestamp', is_nullable: 'YES', column_default: null },
    ])
    const [parts] = await rowsOf(
      first(),
      `select (select seqcache from pg_sequence where seqrelid = 'shard0005.table_id_seq'::regclass) as cache,
         (select lanname from pg_proc join pg_language l on l.oid = prolang where pg_proc.oid = 'shard0005.next_id'::regproc) as language,
         pg_get_function_result('shard0005.next_id'::regproc) as result,
         (select string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ') from pg_constraint
          where conrelid = 'shard0005.entities'::regclass and contype <> 'n') as constraints`,
    )
    expect(parts).toEqual({
      cache: '1',
      language: 'sql',
      result: 'bigint',
      constraints: 'entities_pk PRIMARY KEY (id)',
    })
  })

  it('pads shard ids to four digits, from 0 to 8191', async () => {
    await provision(entriesOf(databases, '0-2', '8190-8192'))
    const names = "select nspname from pg_namespace where nspname like 'shard%' order by 1"
    expect(await rowsOf(first(), names)).toEqual([{ nspname: 'shard0000' }, { nspname: 'shard0001' }])
    expect(await rowsOf(databases.connections[1], names)).toEqual([{ nspname: 'shard8190' }, { nspname: 'shard8191' }])
  })

  it.each([0, 12, 8191])('gives shard %i keys that carry it, the time of now and the sequence', async (shardId) => {
    await provision(entriesOf(databases, `${shardId}-${shardId + 1}`))
    const schema = `shard${String(shardId).padStart(4, '0')}`
    const [row] = await rowsOf<{ id: string; now: Date; later: Date }>(
      first(),
      `select clock_timestamp() as now, ${schema}.next_id() as id, clock_timestamp() as later`,
    )
    const key = new Key(row?.id ?? '')
    expect(key).toMatchObject({ shardId, addedId: 1 })
    expect(key.created.getTime()).toBeGreaterThanOrEqual(row?.now.getTime() ?? NaN)
    expect(key.created.getTime()).toBeLessThanOrEqual(row?.later.getTime() ?? NaN)
  })

  it('counts keys from another epoch when it is told so', async () => {
    const epochMs = 1_314_220_021_721
    await provision(entriesOf(databases, '3-4'), { epochMs })
    const [row] = await rowsOf<{ id: string; now: Date }>(first(), 'select now(), shard0003.next_id() as id')
    const created = new Key(row?.id ?? '', epochMs).created
    expect(Math.abs(created.getTime() - (row?.now.getTime() ?? NaN))).toBeLessThan(1_000)
  })

  it('changes nothing the second time, and says so', async () => {
    await provision(entriesOf(databases, '1-9'))
    const before = await objectVersions()
    const { servers } = await provision(entriesOf(databases, '1-9'))
    expect(servers).toMatchObject([{ created: [], adopted: [], unchanged: numbers(1, 8) }])
    expect(await objectVersions()).toEqual(before)
  })

  it('adds what a wider range asks for, and leaves the rest alone', async () => {
    await provision(entriesOf(databases, '1-5'))
    const { servers } = await provision(entriesOf(databases, '1-9'))
    expect(servers).toMatchObject([{ created: numbers(5, 8), unchanged: numbers(1, 4) }])
  })

  it('leaves shards alone that the connections place nowhere, and tells of them', async () => {
    await provision(entriesOf(databases, '1-5'))
    const { servers, unplaced } = await provision(entriesOf(databases, '3-5'))
    expect(servers).toMatchObject([{ unchanged: [3, 4] }])
    expect(unplaced).toEqual([
      { serverId: 's1', shardId: 1 },
      { serverId: 's1', shardId: 2 },
    ])
    expect(await wholeShards(first())).toEqual(numbers(1, 4))
  })

  it('takes two entries that lead to the same database for one server', async () => {
    const connections = [
      { ...first(), shards: '1-5' },
      { ...first(), shards: '5-9' },
    ]
    await provision(connections)
    expect(await provision(connections)).toMatchObject({
      servers: [{ unchanged: numbers(1, 4) }, { unchanged: numbers(5, 8) }],
      unplaced: [],
    })
  })

  it('finds hstore in whatever schema it lives, with any search path', async () => {
    await withClient(first(), async (client) => {
      await client.query('create schema "Odd ""name"; create extension hstore with schema "Odd ""name"')
      await client.query('create schema decoy; create type decoy.hstore as (x int)')
      const { rows } = await client.query<{ name: string }>('select current_database() as name')
      await client.query(`alter database "${rows[0]?.name}" set search_path = decoy`)
    })
    await provision(entriesOf(databases, '1-3'))
    expect(await inspect(first())).toMatchObject({ hstoreSchema: 'Odd "name' })
    await withClient(first(), (client) =>
      client.query(`insert into shard0001.entities (type, body) values (1, $1)`, ['"a"=>"b"']),
    )
    expect(await provision(entriesOf(databases, '1-3'))).toMatchObject({ servers: [{ unchanged: [1, 2] }] })
  })

  it('tells how far each server has come, after every transaction', async () => {
    const events: ProvisionProgress[] = []
    const onProgress = (event: ProvisionProgress): unknown => events.push(event)
    await provision(entriesOf(databases, '1-6', '6-8'), { shardsPerTransaction: 2, onProgress })
    const doneOf = (server: string): number[] => events.filter((e) => e.serverId === server).map(({ done }) => done)
    expect(doneOf('s1')).toEqual([0, 2, 4, 5])
    expect(doneOf('s2')).toEqual([0, 2])
    expect(new Set(events.map(({ serverId, total }) => `${serverId} ${total}`))).toEqual(new Set(['s1 5', 's2 2']))
  })

  it('makes shards side by side on several connections of one server', async () => {
    const options = { shardsPerTransaction: 3, connectionsPerServer: 3 }
    expect(await provision(entriesOf(databases, '1-30'), options)).toMatchObject({
      servers: [{ created: numbers(1, 29) }],
    })
    expect(await wholeShards(first())).toEqual(numbers(1, 29))
  })

  it('closes its connections, also when it fails', async () => {
    await provision(entriesOf(databases, '1-3'))
    await rejectionOf(provision(entriesOf(databases, '5-6', '1-3')))
    const sessions = `select count(*)::int from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`
    await expect.poll(() => rowsOf(first(), sessions)).toEqual([{ count: 0 }])
  })

  it.each([
    [{ shardsPerTransaction: 0 }, RangeError, 'shardsPerTransaction must be an integer from 1 to 8192, got 0'],
    [{ epochMs: 1.5 }, RangeError, 'epochMs must be an integer from 0 to 8640000000000000, got 1.5'],
    [{ lockTimeoutMs: '1s' as never }, TypeError, 'lockTimeoutMs must be a number, got string'],
    [{ dryRun: true } as never, TypeError, 'unknown option dryRun'],
  ])('refuses the options %j', async (options, type, message) => {
    const error = await rejectionOf(provision(entriesOf(databases, '1-3'), options))
    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toContain(message)
  })
})

/** Changes with every change of these catalog rows. */
function objectVersions(): Promise<unknown[]> {
  return rowsOf(
    first(),
    `select oid, xmin::text from pg_class where relnamespace in (select oid from pg_namespace where nspname like 'shard%')
     union all select oid, xmin::text from pg_proc where proname = 'next_id' order by 1`,
  )
}
