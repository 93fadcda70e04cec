import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { lockShardsSql, tryLockShard } from '../../src/schema/shard-lock.ts'
import { withClient } from '../schema/servers.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

let servers: TestFleet
let fleet: Fleet
let db: Datastore

beforeEach(async () => {
  servers = await createFleet()
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const migrations = makeTemporaryFolder('migrations')
  await writeFile(join(migrations, '0001_flag.sql'), 'alter table entities add column flag integer;')
  db = await Datastore.open({ catalog: { ...servers.catalogConnection }, migrations })
})

afterEach(async () => {
  await db.disconnect()
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const underWay = {
  code: 'HV_MIGRATION_FAILED',
  details: { failures: [{ shardId: 1, code: 'HV_MOVE_UNDER_WAY' }], completed: [2, 3, 4] },
}

describe('a migration and a move', () => {
  it('keep out of the way of each other: a shard that moves is left out, and is done on its new server', async () => {
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await expect(db.migrations.up()).rejects.toMatchObject(underWay)
    await fleet.complete(moveId)
    expect(await listLeftovers(servers)).toEqual([])
    const report = await db.migrations.up()
    expect(report.migrations).toMatchObject([{ id: '0001', shardIds: [1] }])
    await db.migrations.assertAt('0001')
    expect(await queryServer(servers, 2, 'select flag from shard0001.entities')).toEqual([])
  })

  it('that begins while a run waits for the shard is not disturbed by it', async () => {
    await withClient(servers.connections[0], async (client) => {
      await client.query('begin; select from shard0001.entities')
      const up = db.migrations.up({ canary: [], waves: [1] }).catch((error: unknown) => error)
      await until('the other shards are done', async () => {
        return (await queryServer(servers, 0, "select from shard0002.hv_migrations where id = '0001'")).length === 1
      })
      const report = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
      expect(report).toMatchObject({ target: 's3', mismatches: [] })
      await client.query('rollback')
      expect(await up).toMatchObject(underWay)
      await fleet.complete(report.moveId)
    })
    expect(await db.migrations.up()).toMatchObject({ migrations: [{ id: '0001', shardIds: [1] }] })
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('an index is not made in a shard that moves', async () => {
    await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await expect(db.createIndex({ on: { field: 'email' } })).rejects.toMatchObject({
      code: 'HV_INDEX_FAILED',
      details: {
        completed: [2, 3, 4],
        failures: [{ shardId: 1, message: expect.stringContaining('is moving') as string }],
      },
    })
  })

  it.each([
    ['a transaction', `begin; ${lockShardsSql([1])}`],
    ['an index', tryLockShard(1, 'index').text.replace('$1', '1')],
  ])('a move does not begin while %s changes what the shard is made of, and says who does', async (_, lock) => {
    await withClient(servers.connections[0], async (client) => {
      await client.query(lock)
      const [row] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows
      const moving = fleet.moveShard(1, { to: 's3', limits: { slotTimeoutMs: 1 } })
      await expect(moving).rejects.toMatchObject({
        code: 'HV_MOVE_BLOCKED',
        details: {
          serverId: 's1',
          blockers: expect.arrayContaining([expect.stringContaining(`process ${row?.pid} of `)]) as string[],
        },
      })
    })
    const [move] = await fleet.moves()
    await expect(fleet.resume(move?.moveId ?? 0)).resolves.toMatchObject({ mismatches: [] })
  })

  it('a change between the reading of the tables and their publication ends the move before anything is copied', async () => {
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'schema recorded') await db.migrations.up()
    }
    const moving = fleet.moveShard(1, { to: 's3', onCheckpoint })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_CHANGED' })
    const [move] = await fleet.moves()
    expect(move).toMatchObject({ phase: 'preparing' })
    await fleet.abort(move?.moveId ?? 0)
    await expect(fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })).resolves.toMatchObject({ mismatches: [] })
  })
})
