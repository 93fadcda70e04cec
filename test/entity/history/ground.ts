import { Client } from 'pg'
import { Datastore, type Body, type ConnectionEntry } from '../../../src/index.ts'
import type { ServerConnection } from '../../../src/embedded/server-connection.ts'
import { provision } from '../../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../../support/databases.ts'
import { startCuttingProxy, type CuttingProxy } from '../../support/cutting-proxy.ts'
import { until } from '../../support/until.ts'
import type { StoredRow } from './model.ts'

export const SHARDS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8]

/** SQLSTATE with which a shard refuses a body with the key `evil`; the other shards take it. */
export const refusals: Readonly<Record<number, string>> = { 2: '23514', 3: 'XY001', 6: '23505' }

/** Name of the connections that bring about the accidents and look at what is left. */
export const ADMIN = 'history-admin'

const tableOf = (shardId: number): string => `shard000${shardId}.entities`

const rules = {
  2: `alter table ${tableOf(2)} add constraint no_evil check (not body ? 'evil')`,
  3: `create function shard0003.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused' using errcode = 'XY001'; end $$;
      create trigger refuse before insert on ${tableOf(3)}
        for each row when (new.body ? 'evil') execute function shard0003.refuse()`,
  6: `create unique index only_one on ${tableOf(6)} ((body -> 'evil'));
      insert into ${tableOf(6)} (type, body) values (0, 'evil=>1')`,
}

/** Two servers, each with four shards, and some datastores on them. */
export class HistoryGround implements AsyncDisposable {
  readonly admins: readonly Client[]
  /** Datastores on the same servers, and the size of each one's pools. */
  readonly stores: readonly { readonly db: Datastore; readonly poolMax: number }[]
  readonly proxies: readonly CuttingProxy[]
  readonly #databases: TestDatabases

  private constructor(databases: TestDatabases, admins: readonly Client[], proxies: readonly CuttingProxy[]) {
    this.#databases = databases
    this.admins = admins
    this.proxies = proxies
    const direct = databases.connections.map(withShards)
    const cut = direct.map((entry, index) => ({ ...entry, host: '127.0.0.1', port: portOf(proxies, index) }))
    this.stores = [
      { connections: direct, poolMax: 10 },
      { connections: direct, poolMax: 1, preparedMax: 3, poolBlockTimeoutMs: 250 },
      { connections: direct, poolMax: 4, prepare: false, lifetimeMs: 300 },
      { connections: cut, poolMax: 3 },
    ].map((options) => ({ db: new Datastore(options), poolMax: options.poolMax }))
  }

  get datastores(): readonly Datastore[] {
    return this.stores.map(({ db }) => db)
  }

  static async open(): Promise<HistoryGround> {
    const databases = await createDatabases(2)
    await provision(databases.connections.map(withShards))
    const proxies = await Promise.all(databases.connections.map((connection) => startCuttingProxy(connection)))
    const admins = databases.connections.map((connection) => new Client({ ...connection, application_name: ADMIN }))
    const ground = new HistoryGround(databases, admins, proxies)
    await Promise.all(admins.map((admin) => admin.connect()))
    for (const [shardId, sql] of Object.entries(rules)) await ground.adminOf(Number(shardId)).query(sql)
    return ground
  }

  adminOf(shardId: number): Client {
    return this.admins[shardId < 5 ? 0 : 1] as Client
  }

  /** Waits until nothing is lent or waited for, and no server works on what a lost connection had sent. */
  async rest(): Promise<void> {
    const stats = (): string => JSON.stringify(this.datastores.map((db) => db.stats()))
    const isAtRest = (): boolean =>
      this.datastores.flatMap((db) => db.stats()).every((of) => of.lent + of.connecting + of.waiting === 0)
    await until('all connections are back', isAtRest, 20_000).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; ${stats()}`)
    })
    for (const admin of this.admins) await until('the server is idle', async () => (await countBusy(admin)) === 0)
  }

  async rowsOf(shardId: number): Promise<StoredRow[]> {
    const { rows } = await this.adminOf(shardId).query<{ id: string; kind: number; body: string }>(
      `select id, type as kind, hstore_to_json(body)::text as body from ${tableOf(shardId)} where body ? 'token'`,
    )
    return rows.map(({ id, kind, body }) => ({ id, kind, body: JSON.parse(body) as Body }))
  }

  /** Takes out what a round has stored. */
  async clear(): Promise<void> {
    for (const shardId of SHARDS) {
      await this.adminOf(shardId).query(`delete from ${tableOf(shardId)} where body ? 'token'`)
      await this.adminOf(shardId).query(`vacuum ${tableOf(shardId)}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.datastores.map((db) => db.disconnect()))
    await Promise.all(this.proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
    await Promise.all(this.admins.map((admin) => admin.end()))
    await this.#databases.drop()
  }
}

/** Connections of others than the admins; only those that work, or all. */
export async function countOthers(admin: Client, state = ''): Promise<number> {
  const { rowCount } = await admin.query(
    `select from pg_stat_activity
     where datname = current_database() and application_name <> $1 and backend_type = 'client backend'
       and ($2 = '' or state <> $2)`,
    [ADMIN, state],
  )
  return rowCount ?? 0
}

const countBusy = (admin: Client): Promise<number> => countOthers(admin, 'idle')

function withShards(connection: ServerConnection, index: number): ConnectionEntry {
  return { ...connection, shards: index === 0 ? '1-5' : '5-9' }
}

function portOf(proxies: readonly CuttingProxy[], index: number): number {
  const { port } = proxies[index] as CuttingProxy
  return port
}
