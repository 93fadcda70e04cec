import { Client } from 'pg'
import type { TestFleet } from '../support/fleet.ts'

/** Runs one statement on a server of a fleet, 0 …, or on its catalog. */
export async function queryServer(fleet: TestFleet, server: number | 'catalog', text: string): Promise<unknown[][]> {
  const client = new Client(server === 'catalog' ? fleet.catalogConnection : fleet.connections[server])
  await client.connect()
  try {
    return (await client.query<unknown[]>({ text, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

const leftovers = `
select 'slot ' || slot_name from pg_replication_slots where database = current_database()
union all select 'publication ' || pubname from pg_publication
union all select 'subscription ' || subname from pg_subscription
  where subdbid = (select oid from pg_database where datname = current_database())
union all select 'fence on ' || tgrelid::regclass from pg_trigger where tgname = 'hv_fence'
union all select 'function ' || oid::regprocedure from pg_proc where proname = 'hv_fence'
union all select 'marker ' || oid::regclass from pg_class where relname = 'hv_marker'
union all select 'prepared transaction ' || gid from pg_prepared_xacts where database = current_database()`

const openCleanups = `
select concat_ws(' ', 'cleanup record of move', move_id, kind, name)
from hypervault.cleanups join hypervault.moves using (move_id)
where is_over and done_at is null`

/** What a move makes and must not leave, on all servers and in the catalog. */
export async function listLeftovers(fleet: TestFleet): Promise<string[]> {
  const lists = await Promise.all(fleet.connections.map((_, server) => queryServer(fleet, server, leftovers)))
  const records = await queryServer(fleet, 'catalog', openCleanups)
  return [
    ...lists.flatMap((rows, server) => rows.map(([what]) => `s${server + 1}: ${String(what)}`)),
    ...records.map(([what]) => String(what)),
  ]
}

/** The servers that have a schema of this shard. */
export async function listHomes(fleet: TestFleet, shardId: number): Promise<string[]> {
  const name = `shard${String(shardId).padStart(4, '0')}`
  const homes = await Promise.all(
    fleet.connections.map(async (_, server) => {
      const [row] = await queryServer(fleet, server, `select to_regnamespace('${name}') is not null`)
      return row?.[0] === true ? [`s${server + 1}`] : []
    }),
  )
  return homes.flat()
}
