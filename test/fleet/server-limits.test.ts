import { Client } from 'pg'
import { expect, inject, it } from 'vitest'
import { startCluster } from '../../src/embedded/start-cluster.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { settingsOf } from '../support/fleet.ts'

/** As many servers are set up that nobody has moved a shard to yet, and worse. */
const settings = {
  wal_level: 'replica',
  max_replication_slots: 1,
  max_active_replication_origins: 1,
  max_wal_senders: 1,
  max_logical_replication_workers: 1,
  max_worker_processes: 2,
  max_sync_workers_per_subscription: 0,
}

it('servers that are not set up for moves are refused with all that they lack, in the plan and by the doctor', async () => {
  const version = inject('postgresVersion')
  await using cluster = await startCluster({
    servers: 2,
    shards: '1-2',
    serversWithShards: 1,
    catalog: true,
    version,
    settings,
  })
  await using fleet = await Fleet.open({ catalog: cluster.catalog ?? '' })
  const { connection } = cluster.servers[1] ?? {}
  if (connection === undefined) throw new Error('no second server')
  const client = new Client(connection)
  await client.connect()
  await client.query("create database western encoding 'LATIN1' locale 'C' template template0")
  await client.end()
  await fleet.addServer('s3', settingsOf({ ...connection, database: 'western' }))

  const { problems } = await fleet.planMove(1, { to: 's3' })
  const lackedBy = (serverId: string): string[] => [
    `server ${serverId} has wal_level below logical: alter system set wal_level = 'logical', and restart`,
    `server ${serverId} has 1 free replication slots, and a move needs 2: raise max_replication_slots, and restart`,
    `server ${serverId} has 1 free WAL senders, and a move needs 2: raise max_wal_senders, and restart`,
    `server ${serverId} has 1 free logical replication workers, and a move needs 2: raise max_logical_replication_workers, and restart`,
    `server ${serverId} has 1 free background workers, and a move needs 2: raise max_worker_processes, and restart`,
    expect.stringMatching(
      `^server ${serverId} has 1 free replication origins, and a move needs 2: raise max_`,
    ) as string,
    `server ${serverId} copies no tables: alter system set max_sync_workers_per_subscription = 2, and select pg_reload_conf()`,
  ]
  expect(problems).toEqual([
    ...lackedBy('s1'),
    ...lackedBy('s3'),
    'the databases have different encodings, s1 has UTF8, s3 has LATIN1: create one again with the encoding of the other',
  ])
  const { findings } = await fleet.doctor()
  expect(findings.filter(({ kind, serverId }) => kind === 'server-unready' && serverId === 's1')).toHaveLength(7)
})
