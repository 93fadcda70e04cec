import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFenceSql, raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

const OURS = 'hv_move_1_0badcafe'
const THEIRS = 'theirs_of_the_test'

let databases: TestDatabases
let from: Client
let to: Client

/** Two tables at both sides, one that the stream of a move fills, and one that a subscription of the user does. */
beforeAll(async () => {
  databases = await createDatabases(2)
  const [left, right] = databases.connections.map((connection) => new Client(connection)) as [Client, Client]
  ;[from, to] = [left, right]
  for (const client of [from, to]) {
    await client.connect()
    await client.query(`create schema shard0001;
      create table shard0001.own (id int primary key, line text);
      create table shard0001.fed (id int primary key, line text)`)
  }
  await to.query(raiseFenceSql({ shardId: 1, target: 's2', epoch: 2 }, ['own', 'fed'], { hasRows: true }).join(';'))
  await subscribe(OURS, 'own')
  await subscribe(THEIRS, 'fed')
})

afterAll(async () => {
  for (const name of [OURS, THEIRS]) {
    await to.query(`alter subscription ${name} disable`)
    await to.query(`alter subscription ${name} set (slot_name = none)`)
    await to.query(`drop subscription ${name}`)
    await until('the slot is free', async () => {
      const drop = `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${name}' and not active`
      await from.query(drop)
      return (await from.query(`select from pg_replication_slots where slot_name = '${name}'`)).rows.length === 0
    })
  }
  await Promise.all([from.end(), to.end()])
  await databases.drop()
})

async function subscribe(name: string, table: string): Promise<void> {
  const { host, port, database, user, password } = from
  await from.query(`create publication ${name} for table shard0001.${table}`)
  await from.query(`select pg_create_logical_replication_slot('${name}', 'pgoutput')`)
  await to.query(
    `create subscription ${name} connection 'host=${host} port=${port} dbname=${database} user=${user} password=${password}'
     publication ${name} with (create_slot = false, slot_name = '${name}', copy_data = ${table === 'own'})`,
  )
}

const linesOf = async (table: string): Promise<string[]> =>
  (await to.query<{ line: string }>(`select line from shard0001.${table} order by id`)).rows.map(({ line }) => line)

describe('a fence', () => {
  it('lets the stream of its move pass, with inserts, updates, deletes and truncates', async () => {
    await from.query(`insert into shard0001.own values (1, 'a'), (2, 'b'), (3, 'c')`)
    await from.query(`update shard0001.own set line = 'd' where id = 2; delete from shard0001.own where id = 3`)
    await until('changes arrive', async () => (await linesOf('own')).join() === 'a,d')
    await from.query(`truncate shard0001.own; insert into shard0001.own values (4, 'e')`)
    await until('the truncate arrives', async () => (await linesOf('own')).join() === 'e')
  })

  it.each(['origin', 'local', 'replica'])('refuses a session whose replication role is %s', async (role) => {
    const writes = [
      `insert into shard0001.own values (9, 'x')`,
      'update shard0001.own set id = id',
      'delete from shard0001.own',
      'truncate shard0001.own',
      'copy shard0001.own from stdin',
    ]
    for (const write of writes) {
      await to.query(`set session_replication_role = ${role}`)
      await expect(to.query(write)).rejects.toMatchObject({ code: 'HV001' })
    }
    await to.query('reset session_replication_role')
    expect(await linesOf('own')).toEqual(['e'])
  })

  it('refuses what another subscription brings, until it is opened, and then loses none of it', async () => {
    await from.query(`insert into shard0001.fed select n, 'fed' from generate_series(1, 5) as n`)
    const errors = `select from pg_stat_subscription_stats where subname = '${THEIRS}' and apply_error_count > 0`
    await until('it is refused', async () => (await to.query(errors)).rows.length > 0)
    expect(await linesOf('fed')).toEqual([])
    await to.query(openFenceSql(1))
    await to.query(`alter subscription ${THEIRS} disable`)
    await to.query(`alter subscription ${THEIRS} enable`)
    await until('its rows arrive', async () => (await linesOf('fed')).length === 5)
    await to.query(`insert into shard0001.own values (5, 'f'); update shard0001.own set line = 'g' where id = 5`)
    expect(await linesOf('own')).toEqual(['e', 'g'])
  })
})
