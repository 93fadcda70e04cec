import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { startCluster, type Cluster } from '../../src/embedded/start-cluster.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import type { Key } from '../../src/key/key.ts'
import { kyselyFor } from '../../src/kysely.ts'
import { rowsOf, withClient } from '../schema/servers.ts'
import { makeFolder, runCli, spawnCli } from './run-cli.ts'

/*
 * Migrations of many shards while the application is at work, and while their operator dies again and again. By hand it
 * can be as large as one likes: HYPERVAULT_MIGRATE_SHARDS=2000 HYPERVAULT_MIGRATE_KILLS=5.
 */

const SHARDS = Number(process.env['HYPERVAULT_MIGRATE_SHARDS'] ?? 24)
const KILLS = Number(process.env['HYPERVAULT_MIGRATE_KILLS'] ?? 2)
const TIMEOUT_MS = 120_000 + SHARDS * 1_000

const files = {
  '0001_notes.sql':
    "create table notes (id bigint primary key default next_id(), text text); insert into notes (text) values ('once');",
  '0002_by_type.sql': '-- hypervault: no-transaction\ncreate index concurrently by_type on entities (type);',
  '0003_flag.sql': "alter table entities add column flag text default 'new';",
}

interface Tables {
  entities: { id: string; type: number; body: string; updated: Date | null }
}

/** Callers of all sorts that never stop for long; each remembers what failed. */
class Load {
  readonly failures: unknown[] = []
  readonly keys: Key[] = []
  calls = 0
  readonly #db: Datastore
  readonly #shardIds: readonly number[]
  readonly #callers: Promise<void>[]
  #isOver = false

  constructor(db: Datastore) {
    this.#db = db
    this.#shardIds = db.topology.shardIds
    const works = [() => this.#put(), () => this.#get(), () => this.#read(), () => this.#write()]
    this.#callers = works.map((work, index) => this.#repeat(work, index))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#callers)
  }

  async #repeat(work: () => Promise<unknown>, index: number): Promise<void> {
    for (; !this.#isOver; await sleep(index)) {
      await work().catch((error: unknown) => this.failures.push(error))
      this.calls += 1
    }
  }

  async #put(): Promise<void> {
    this.keys.push(await this.#db.put(this.#shard(), 1, { at: 'work' }))
  }

  async #get(): Promise<void> {
    const key = this.keys[Math.floor(Math.random() * this.keys.length)]
    if (key === undefined) return
    expect(await this.#db.get(key)).toMatchObject({ body: { at: 'work' } })
  }

  /** Every column, so that a prepared statement notices the new one. */
  #read(): Promise<unknown> {
    return this.#kysely().selectFrom('entities').selectAll().limit(1).execute()
  }

  #write(): Promise<unknown> {
    return this.#kysely()
      .transaction()
      .execute((trx) =>
        trx
          .insertInto('entities')
          .values({ type: 2, body: 'by=>kysely' } as never)
          .returningAll()
          .execute(),
      )
  }

  #kysely(): Kysely<Tables> {
    return kyselyFor<Tables>(this.#db.shard(this.#shard()))
  }

  /** A few shards most of the time, whose statements are prepared when they change. */
  #shard(): number {
    const count = Math.random() < 0.5 ? Math.min(4, this.#shardIds.length) : this.#shardIds.length
    return this.#shardIds[Math.floor(Math.random() * count)] ?? 1
  }
}

/** Runs `migrate up`, and kills it after so many lines of progress. True if it was killed before its end. */
async function killAfter(lines: number, cwd: string): Promise<boolean> {
  const child = spawnCli(['migrate', 'up'], { cwd })
  let seen = 0
  child.stderr.on('data', (text: Buffer) => {
    seen += text.toString().split('migrate up: ').length - 1
    if (seen >= lines) child.kill('SIGKILL')
  })
  child.stdout.resume()
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return exitCode === null
}

/** One line for each shard, of what the three migrations have left in it. */
async function listStates({
  connections,
  topology,
}: {
  connections: Cluster['connections']
  topology: Datastore['topology']
}): Promise<string[]> {
  const lists = await Promise.all(
    topology.servers.map(async ({ shardIds }, server) => {
      const states: string[] = []
      for (let first = 0; first < shardIds.length; first += 50) {
        const parts = shardIds.slice(first, first + 50).map((shardId) => {
          const schema = shardSchema(shardId)
          return `select concat_ws(' ', (select string_agg(id, ' ' order by id) from ${schema}.hv_migrations where took_ms is not null),
            (select count(*) from ${schema}.notes where text = 'once'),
            (select string_agg(indisvalid::text, ' ') from pg_index where indexrelid = '${schema}.by_type'::regclass),
            (select count(flag) = count(*) from ${schema}.entities)) as state`
        })
        states.push(
          ...(await rowsOf<{ state: string }>(connections[server], parts.join(' union all '))).map(
            ({ state }) => state,
          ),
        )
      }
      return states
    }),
  )
  return lists.flat()
}

test(
  `migrations of ${SHARDS} shards fail no call of the application, also when their operator is killed ${KILLS} times`,
  { timeout: TIMEOUT_MS },
  async () => {
    await using cluster = await startCluster({ servers: 2, shards: `1-${SHARDS + 1}` })
    const { connections } = cluster
    const config = JSON.stringify({ connections, migrations: './db' })
    await using folder = await makeFolder({ 'hypervault.config.json': config })
    await mkdir(join(folder.path, 'db'))
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder.path, 'db', name), content)
    await using db = new Datastore({ connections, poolMax: 4, poolBlockTimeoutMs: 60_000 })
    const load = new Load(db)
    const startedAt = performance.now()
    for (let kill = 0; kill < KILLS; kill += 1) expect(await killAfter(1 + (kill % 2), folder.path)).toBe(true)
    const up = await runCli(['migrate', 'up'], { cwd: folder.path })
    const tookMs = Math.round(performance.now() - startedAt)
    expect(up).toMatchObject({ exitCode: 0 })
    await load.stop()
    expect(load.failures).toEqual([])
    expect(load.keys.length).toBeGreaterThan(KILLS)
    expect((await db.getMany(load.keys)).every((entity) => entity?.body.at === 'work')).toBe(true)
    expect(new Set(await listStates({ connections, topology: db.topology }))).toEqual(
      new Set(['0001 0002 0003 hv0001 1 true t']),
    )
    for (const connection of connections) {
      expect(await rowsOf(connection, 'select from pg_index where not indisvalid')).toEqual([])
    }
    await db.migrations.assertAt('0003')

    // One in all of them has the column already: it is left, and the others are done.
    const last = SHARDS
    await writeFile(join(folder.path, 'db', '0004_more.sql'), 'alter table notes add column more text;')
    await withClient(connections[1], (client) =>
      client.query(`alter table ${shardSchema(last)}.notes add column more text`),
    )
    const partly = await runCli(['migrate', 'up'], { cwd: folder.path })
    expect(partly.exitCode).toBe(4)
    expect(partly.stderr).toContain(`s2, shard ${last}, 0004_more: column "more" of relation "notes" already exists`)
    const next = /then run: npx pg-hypervault (.*)\n/.exec(partly.stderr)?.[1] ?? ''
    expect(next).toBe(`migrate up --shards ${last}`)
    await withClient(connections[1], (client) =>
      client.query(`alter table ${shardSchema(last)}.notes drop column more`),
    )
    expect(await runCli(next.split(' '), { cwd: folder.path })).toMatchObject({ exitCode: 0 })
    const verified = await runCli(['migrate', 'verify'], { cwd: folder.path })
    expect(verified).toMatchObject({ exitCode: 0 })
    if (SHARDS > 100) console.log(`${load.calls} calls in ${tookMs} ms of migrating`)
  },
)
