import { afterAll, beforeAll, expect, it } from 'vitest'
import { Datastore } from '../../../src/index.ts'
import { Fleet } from '../../../src/fleet.ts'
import { startFleet, type FleetOfServers } from '../../support/fleet-servers.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { until } from '../../support/until.ts'
import { listLeftovers, queryServer } from '../fleet-query.ts'
import { Mishaps } from './mishaps.ts'
import { OperatorLink } from './operator-link.ts'
import { homeOf, Player } from './player.ts'
import { HistoryScene, ledgerOf } from './scene.ts'
import { Stranger } from './stranger.ts'
import { Worker } from './worker.ts'

/*
 * Shards move to and fro between three servers under a mixed load, while operators, servers and connections die. At the
 * end each acknowledged write is there once, each read is explained, and nothing is left of the moves.
 * HYPERVAULT_HISTORY_SEED repeats the choices (the moments differ), HYPERVAULT_HISTORY_MOVES makes it long, and
 * HYPERVAULT_HISTORY_KILLS says how many of the orders meet with a mishap, 0 … 1.
 */

const SEED = Number(process.env['HYPERVAULT_HISTORY_SEED'] ?? Date.now() % 2 ** 32)
const MOVES = Number(process.env['HYPERVAULT_HISTORY_MOVES'] ?? 4)
const KILLS = Number(process.env['HYPERVAULT_HISTORY_KILLS'] ?? 0.6)

/** From this number on it tells how it gets on. */
const MANY = 20

const SHARDS = [1, 2, 3]
const WORKERS = 6

let servers: FleetOfServers
let scene: HistoryScene
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled)
  servers = await startFleet()
  for (const shardId of SHARDS) {
    await queryServer(
      servers,
      shardId < 3 ? 0 : 1,
      `create table ${ledgerOf(shardId)} (id bigint generated always as identity primary key, token text not null)`,
    )
  }
  const open = (poolMax: number): Promise<Datastore> =>
    Datastore.open({ catalog: { ...servers.catalogConnection }, poolMax, topologyPollMs: 1_000 })
  scene = new HistoryScene(SHARDS, await Promise.all([open(10), open(3)]))
})

afterAll(async () => {
  process.off('unhandledRejection', onUnhandled)
  await Promise.all(scene.datastores.map((db) => db.disconnect()))
  await servers[Symbol.asyncDispose]()
})

/** Moves shards under the load of workers and strangers. */
async function playAll(random: SeededRandom): Promise<void> {
  const isOver = new AbortController()
  const workers = Array.from({ length: WORKERS }, (_, index) => {
    return new Worker(scene, index % scene.datastores.length, random.fork(), `w${index}`)
  })
  const strangers = servers.connections.map((each, index) => new Stranger(each, scene, random.fork(), `x${index}`))
  const running = [...workers, ...strangers].map((each) => each.run(isOver.signal))
  await using operator = new OperatorLink(servers.catalogConnection)
  const mishaps = new Mishaps(servers, operator, scene, random.fork())
  const player = new Player(servers, { operator, mishaps, scene, random: random.fork() }, KILLS)
  try {
    for (let move = 1; move <= MOVES; move += 1) {
      await player.play()
      expect(scene.violations.slice(0, 5), `seed ${SEED}, move ${move}`).toEqual([])
      if (MOVES >= MANY && move % 10 === 0) tellProgress(move)
    }
  } finally {
    isOver.abort()
    await mishaps.end()
    await Promise.all(running)
  }
}

function tellProgress(move: number): void {
  process.stderr.write(`seed ${SEED}, move ${move}: ${JSON.stringify(Object.fromEntries(scene.seen))}\n`)
}

/** Compares what a server has of a shard with what was acknowledged. */
async function checkShard(server: number, shardId: number): Promise<void> {
  const entities = await queryServer(
    servers,
    server,
    `select id::text, body -> 'token', (body -> 'n')::int from shard000${shardId}.entities`,
  )
  const ledger = await queryServer(servers, server, `select token from ${ledgerOf(shardId)}`)
  const tokens = [...entities.map(([, token]) => String(token)), ...ledger.map(([token]) => String(token))]
  for (const problem of scene.book.check(shardId, tokens)) scene.violate(problem)
  const bodies = new Map(entities.map(([id, , n]) => [String(id), { n: Number(n) }]))
  for (const story of scene.stories.filter(({ key }) => key.shardId === shardId)) {
    scene.violate(story.judgeEnd(bodies.get(String(story.key))))
  }
}

/** Moves each shard once more in peace, and compares the two copies while the stream back runs. */
async function compareCopies(): Promise<void> {
  await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  for (const shardId of SHARDS) {
    const source = await homeOf(fleet, shardId)
    const to = source === 's3' ? 's1' : 's3'
    const { moveId, mismatches } = await fleet.moveShard(shardId, { to, maxPauseMs: 60_000 })
    expect(mismatches).toEqual([])
    const token = `last-${shardId}`
    scene.book.begin(token, shardId)
    await scene.datastores[0]?.put(shardId, 3, { token, n: '1' })
    scene.book.settle(token, 'stored')
    const both = [numberOf(source), numberOf(to)]
    await until('both copies are equal', async () => {
      const [left, right] = await Promise.all(both.map((server) => sumOf(server, shardId)))
      return left === right
    })
    await checkShard(numberOf(to), shardId)
    await fleet.complete(moveId)
  }
  expect(await listLeftovers(servers)).toEqual([])
}

const numberOf = (serverId: string): number => Number(serverId.slice(1)) - 1

async function sumOf(server: number, shardId: number): Promise<string> {
  const sumSql = (table: string): string =>
    `(select count(*) || ' ' || coalesce(sum(hashtextextended(each::text, 0)::numeric), 0) from ${table} as each)`
  const tables = [`shard000${shardId}.entities`, ledgerOf(shardId)]
  const [row] = await queryServer(servers, server, `select ${tables.map(sumSql).join(', ')}`)
  return JSON.stringify(row)
}

it(
  'a history of moves under a mixed load and mishaps loses nothing, doubles nothing and leaves nothing',
  { timeout: 240_000 + MOVES * 60_000 },
  async () => {
    await playAll(new SeededRandom(SEED))
    expect(unhandled).toEqual([])
    await compareCopies()
    expect(scene.violations.slice(0, 10), `seed ${SEED}`).toEqual([])
    for (const what of ['put', 'update', 'delete', 'transaction', 'Kysely']) {
      expect(scene.seen.get(`${what} acknowledged`)).toBeGreaterThan(0)
    }
    if (MOVES >= MANY) tellProgress(MOVES)
  },
)
