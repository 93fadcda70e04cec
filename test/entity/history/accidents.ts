import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from 'pg'
import type { CuttingProxy } from '../../support/cutting-proxy.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { ADMIN, SHARDS, type HistoryGround } from './ground.ts'

const others = `from pg_stat_activity
  where datname = current_database() and application_name <> '${ADMIN}' and backend_type = 'client backend'`

const LOCK_NOT_AVAILABLE = '55P03' // lock_not_available

/** What happens to one server, at random moments, until it is told to stop. */
export class Accidents {
  /** How often each has happened. */
  readonly counts = { killed: 0, canceled: 0, locked: 0, altered: 0, cut: 0 }
  readonly #admin: Client
  readonly #proxy: CuttingProxy
  readonly #shardIds: readonly number[]
  readonly #random: SeededRandom
  #longestPauseMs = 0
  #isRunning = false
  #end: Promise<void> = Promise.resolve()

  private constructor(admin: Client, proxy: CuttingProxy, shardIds: readonly number[], random: SeededRandom) {
    this.#admin = admin
    this.#proxy = proxy
    this.#shardIds = shardIds
    this.#random = random
  }

  static onAll({ admins, proxies }: HistoryGround, random: SeededRandom): Accidents[] {
    return admins.map((admin, index) => {
      const shardIds = SHARDS.filter((shardId) => shardId < 5 === (index === 0))
      return new Accidents(admin, proxies[index] as CuttingProxy, shardIds, random.fork())
    })
  }

  /** Begins a time of many or of few accidents. */
  start(): void {
    this.#isRunning = true
    this.#longestPauseMs = this.#random.pick([8, 30, 120])
    this.#end = this.#run()
    // Whoever stops them is told.
    this.#end.catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#end
  }

  async #run(): Promise<void> {
    await this.#admin.query(`set lock_timeout = 200`)
    while (this.#isRunning) {
      await pause(this.#random.below(this.#longestPauseMs))
      await this.#happen().catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error
      })
    }
  }

  #happen(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 45) return this.#kill('order by random() limit 1')
    if (choice < 50) return this.#kill('')
    if (choice < 60) return this.#cancel()
    if (choice < 80) return this.#lock()
    if (choice < 90) return this.#alter()
    this.counts.cut += this.#proxy.cutNextAnswers()
    return Promise.resolve()
  }

  async #kill(which: string): Promise<void> {
    const { rowCount } = await this.#admin.query(
      `select pg_terminate_backend(pid) from (select pid ${others} ${which}) as one`,
    )
    this.counts.killed += rowCount ?? 0
  }

  async #cancel(): Promise<void> {
    const { rowCount } = await this.#admin.query(
      `select pg_cancel_backend(pid) from (select pid ${others} and state = 'active' limit 2) as busy`,
    )
    this.counts.canceled += rowCount ?? 0
  }

  /** Makes the statements on a shard wait, so that others come to an end while they are in flight. */
  async #lock(): Promise<void> {
    const table = this.#table()
    try {
      await this.#admin.query(`begin; lock table ${table} in access exclusive mode`)
      this.counts.locked += 1
      await pause(this.#random.below(20))
      if (this.#random.chance(0.5)) await this.#kill(`and wait_event_type = 'Lock'`)
    } finally {
      await this.#admin.query('rollback')
    }
  }

  /** Changes the type that prepared statements give. */
  async #alter(): Promise<void> {
    const type = this.#random.pick(['timestamp', 'timestamptz'])
    await this.#admin.query(`alter table ${this.#table()} alter column updated type ${type}`)
    this.counts.altered += 1
  }

  #table(): string {
    return `shard000${this.#random.pick(this.#shardIds)}.entities`
  }
}
