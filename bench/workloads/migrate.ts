import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { Datastore } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import { Ground } from '../ground/ground.ts'
import type { Goal } from '../measure/goals.ts'
import { rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Contender, type Series } from '../measure/rounds.ts'
import { HYPERVAULT } from '../peers/hypervault.ts'
import type { Bench, Workload } from '../workload.ts'

/*
 * A column in every shard of one server, which is written down in the shard as well. Once with commits that wait for the
 * disk, as in production, and once without, which leaves the processor of the server: there the last contender is what
 * bounds the first, many shards in one text with nothing around it, so that what is left is the work of the server itself
 * on its catalogs. Everybody begins on new connections, which have yet to get to know the tables. Survey, canary and waves
 * are in the time of Hypervault.
 */

const SHARDS = 1024
const SMOKE_SHARDS = 64
const SHARDS_PER_TEXT = 32
const DURABLE = 'commits wait for the disk'
const VOLATILE = 'they do not'
const ONE_BY_ONE = 'pg, one by one'
const IN_ONE_TEXT = `pg, ${SHARDS_PER_TEXT} shards in a text`

const goal: Goal = {
  what: 'migrate up of one column',
  of: { case: DURABLE, contender: HYPERVAULT, metric: rate },
  against: [{ case: DURABLE, contender: ONE_BY_ONE, metric: rate }],
  must: 3,
  aim: 5,
}

/** Migrations of all shards of a server. */
export const migrate: Workload = {
  name: 'migrate',
  title: `migrate: a column in ${SHARDS} shards, and a note of it in each; shards per second`,
  goals: [goal],
  run: measureMigrations,
}

async function measureMigrations({ plan, signal, say }: Bench): Promise<Series[]> {
  const shards = plan.isSmoke ? SMOKE_SHARDS : SHARDS
  const onShards = (done: number): void => say('migrate: making schemas', done, shards)
  await using ground = await Ground.open({ shards, signal, onShards })
  await using site = await MigrateSite.open(ground)
  const ways: Way[] = [
    { name: HYPERVAULT, addColumn: (column) => site.migrate(column) },
    { name: ONE_BY_ONE, addColumn: (column) => site.addColumns(column, 1) },
    { name: IN_ONE_TEXT, addColumn: (column) => site.addColumns(column, SHARDS_PER_TEXT) },
  ]
  const cases = [true, false].map((isDurable) => ({
    name: isDurable ? DURABLE : VOLATILE,
    contenders: ways.map((way) => contenderOf(way, ground, isDurable)),
  }))
  const total = countSamples(cases, plan.rounds)
  return await runRounds(cases, {
    rounds: plan.rounds,
    signal,
    onSample: (done) => say('migrate: a column in every shard', done, total),
  })
}

/** A way to add a column of this name in all shards. */
interface Way {
  readonly name: string
  readonly addColumn: (column: string) => Promise<void>
}

function contenderOf({ name, addColumn }: Way, ground: Ground, isDurable: boolean): Contender {
  const measure = async (): Promise<ReadonlyMap<typeof rate, number>> => {
    await setFsync(ground, isDurable ? 'on' : 'off')
    const column = `c${(columns += 1)}`
    const startedAt = performance.now()
    await addColumn(column)
    const tookMs = performance.now() - startedAt
    await checkColumns(ground, column, name)
    return new Map([[rate, (ground.shardIds.length * 1000) / tookMs]])
  }
  return { name, measure }
}

let columns = 0

/** The setting of the server from here on, once it is in force there. */
async function setFsync(ground: Ground, value: 'on' | 'off'): Promise<void> {
  await ground.query(`alter system set fsync = ${value}`)
  await ground.query('select pg_reload_conf()')
  for (;;) {
    const [row] = await ground.query<{ fsync: string }>('show fsync')
    if (row?.fsync === value) return
  }
}

async function checkColumns(ground: Ground, column: string, name: string): Promise<void> {
  const text = 'select count(*)::int as shards from pg_attribute where attname = $1'
  const [row] = await ground.query<{ shards: number }>(text, [column])
  if (row?.shards !== ground.shardIds.length) throw new Error(`${name} has added ${row?.shards} columns`)
}

/** A folder of migrations, and the shards they run in. */
class MigrateSite implements AsyncDisposable {
  readonly #folder: string
  readonly #db: Datastore
  readonly #ground: Ground
  readonly #shardIds: readonly number[]

  private constructor(folder: string, ground: Ground) {
    this.#folder = folder
    this.#db = new Datastore({ connections: [ground.connection], migrations: folder })
    this.#ground = ground
    this.#shardIds = ground.shardIds
  }

  static async open(ground: Ground): Promise<MigrateSite> {
    const site = new MigrateSite(await mkdtemp(join(tmpdir(), 'hypervault-bench-')), ground)
    for (const shardId of ground.shardIds) {
      await ground.query(`create table ${shardSchema(shardId)}.notes (id text primary key, at timestamptz not null)`)
    }
    return site
  }

  async migrate(column: string): Promise<void> {
    const file = `${column.slice(1).padStart(4, '0')}_${column}.sql`
    await writeFile(join(this.#folder, file), `alter table entities add column ${column} integer`)
    await this.#db.migrations.up()
  }

  /** The same statements in so many shards at a time, sent and answered before the next ones, on a new connection. */
  async addColumns(column: string, shardsPerText: number): Promise<void> {
    const client = new Client(this.#ground.connection)
    await client.connect()
    for (let first = 0; first < this.#shardIds.length; first += shardsPerText) {
      const schemas = this.#shardIds.slice(first, first + shardsPerText).map(shardSchema)
      const statements = schemas.flatMap((schema) => [
        `alter table ${schema}.entities add column ${column} integer`,
        `insert into ${schema}.notes values ('${column}', clock_timestamp())`,
      ])
      if (shardsPerText > 1) await client.query(statements.join(';\n'))
      else for (const statement of statements) await client.query(statement)
    }
    await client.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.disconnect()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
