import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import type { ServerConnection } from '../../../src/embedded/server-connection.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { ledgerOf, type HistoryScene } from './scene.ts'
import { codeOf, judgeFailure } from './write-book.ts'

/** Refusals that prove that nothing was written: the fence, and a schema or table that is not there. */
const refusals: ReadonlySet<string> = new Set([
  'HV001',
  '3F000', // invalid_schema_name
  '42P01', // undefined_table
  '40P01', // deadlock_detected
])

/** A client that knows nothing of Hypervault: it writes to one server, whatever shard it feels like. */
export class Stranger {
  readonly #connection: ServerConnection
  readonly #scene: HistoryScene
  readonly #random: SeededRandom
  readonly #name: string
  #client: Client | undefined
  #count = 0

  constructor(connection: ServerConnection, scene: HistoryScene, random: SeededRandom, name: string) {
    this.#connection = connection
    this.#scene = scene
    this.#random = random
    this.#name = name
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#write()
      await sleep(this.#random.below(20))
    }
    await this.#client?.end().catch(() => undefined)
  }

  async #write(): Promise<void> {
    const { book, shardIds } = this.#scene
    const shardId = this.#random.pick(shardIds)
    const token = `${this.#name}-${this.#count++}`
    book.begin(token, shardId)
    try {
      const client = (this.#client ??= await this.#connect())
      await client.query(`insert into ${ledgerOf(shardId)} (token) values ($1)`, [token])
      book.settle(token, 'stored')
      this.#scene.see('a stranger wrote')
    } catch (error) {
      book.settle(token, this.#judge(error))
    }
  }

  #judge(error: unknown): 'maybe' | 'absent' {
    const code = codeOf(error)
    this.#scene.see(`a stranger was refused: ${code}`)
    if (refusals.has(code)) return 'absent'
    // Whatever else it is, it comes from a connection that ended.
    const client = this.#client
    this.#client = undefined
    void client?.end().catch(() => undefined)
    if (judgeFailure(error) === undefined && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('08')) {
      this.#scene.violate(`a stranger met ${code}`)
    }
    return 'maybe'
  }

  async #connect(): Promise<Client> {
    const client = new Client({ ...this.#connection, connectionTimeoutMillis: 5_000 })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
}
