import { Client, escapeLiteral } from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import { shardSchema } from '../../src/key/shard-id.ts'
import { provision } from '../../src/schema/provision.ts'
import type { ServerConnection } from '../../src/testing.ts'

/** Name of a subscription as a contender: the copy that PostgreSQL makes by itself, and nothing beside it. */
export const NATIVE_SUBSCRIPTION = 'native subscription'

const POLL_MS = 5

/** Copies a shard by a subscription alone, into tables that were made before, and gives the milliseconds of the copy. */
export async function copyBySubscription(
  { source, target }: { source: ServerConnection; target: ServerConnection },
  shardId: number,
): Promise<number> {
  const [from, to] = [new Client(source), new Client(target)]
  await Promise.all([from.connect(), to.connect()])
  try {
    await provision([{ ...target, shards: `${shardId}-${shardId + 1}` }])
    await from.query(`create publication bench for table ${shardSchema(shardId)}.entities`)
    await from.query("select pg_create_logical_replication_slot('bench', 'pgoutput')")
    const startedAt = performance.now()
    await to.query(subscribeSql(source))
    while (!(await isCopied(to))) await sleep(POLL_MS)
    return performance.now() - startedAt
  } finally {
    await removeAll(from, to, shardId)
    await Promise.all([from.end(), to.end()])
  }
}

function subscribeSql({ host, port, database, user, password }: ServerConnection): string {
  const connection = `host=${host} port=${port} dbname=${database} user=${user} password=${password}`
  const options = "create_slot = false, slot_name = 'bench', synchronous_commit = off"
  return `create subscription bench connection ${escapeLiteral(connection)} publication bench with (${options})`
}

async function isCopied(to: Client): Promise<boolean> {
  const { rows } = await to.query<{ ready: boolean }>(
    "select bool_and(srsubstate in ('r', 's')) as ready from pg_subscription_rel",
  )
  return rows[0]?.ready === true
}

async function removeAll(from: Client, to: Client, shardId: number): Promise<void> {
  await to.query('drop subscription if exists bench')
  await from.query('drop publication if exists bench')
  await to.query(`drop schema if exists ${shardSchema(shardId)} cascade`)
}
