import { isHypervaultError } from '../../../src/index.ts'

/** What became of a row that is written once: it is there exactly once, at most once, or not at all. */
type Fate = 'open' | 'stored' | 'maybe' | 'absent'

/** Failures that say nothing about what was written. */
const unknown: ReadonlySet<string> = new Set([
  'HV_OUTCOME_UNKNOWN',
  'HV_COMMIT_UNKNOWN',
  // A statement that a caller wrote may have written something before its connection ended.
  'HV_CONNECTION_LOST',
])

/** Failures after which nothing is written: a server is down, its shard on the way, or a transaction came to nothing. */
const harmless: ReadonlySet<string> = new Set([
  'HV_CONNECT_FAILED',
  'HV_POOL_TIMEOUT',
  'HV_SHARD_MOVED',
  'HV_SHARD_MISSING',
  'HV_TRANSACTION_ABORTED',
  'HV_TRANSACTION_TIMEOUT',
])

/** SQLSTATEs of a server that ends or begins, which `pg` hands on as they are. */
const ending: ReadonlySet<string> = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
])

/** Whether a failure leaves it open what was written. Undefined for a failure that cannot be. */
export function judgeFailure(error: unknown): 'nothing' | 'unknown' | undefined {
  const code = codeOf(error)
  if (unknown.has(code) || ending.has(code)) return 'unknown'
  if (harmless.has(code)) return 'nothing'
  const { sqlstate } = (isHypervaultError(error) ? error.details : {}) as { sqlstate?: string }
  return sqlstate !== undefined && ending.has(sqlstate) ? 'unknown' : undefined
}

/** The code of an error, of Hypervault, PostgreSQL or the network. */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? error)
}

/** Rows that are written once, each under a token: what each of them must have become. */
export class WriteBook {
  readonly #fates = new Map<string, { readonly shardId: number; fate: Fate }>()

  begin(token: string, shardId: number): void {
    this.#fates.set(token, { shardId, fate: 'open' })
  }

  settle(token: string, fate: Fate): void {
    const entry = this.#fates.get(token)
    if (entry !== undefined) entry.fate = fate
  }

  /** What is wrong with the tokens that a shard holds, as texts. */
  check(shardId: number, found: readonly string[]): string[] {
    const times = new Map<string, number>()
    for (const token of found) times.set(token, (times.get(token) ?? 0) + 1)
    const strange = [...times].flatMap(([token, count]) => this.#judge(token, shardId, count))
    const lost = [...this.#fates].filter(
      ([token, { shardId: home, fate }]) => home === shardId && fate === 'stored' && !times.has(token),
    )
    return [...strange, ...lost.map(([token]) => `lost: ${token} in shard ${shardId}`)]
  }

  #judge(token: string, shardId: number, count: number): string[] {
    const entry = this.#fates.get(token)
    if (entry === undefined) return [`nobody wrote ${token}`]
    if (entry.shardId !== shardId) return [`in another shard: ${token} in ${shardId}`]
    if (entry.fate === 'absent') return [`there though it was refused: ${token} in shard ${shardId}`]
    return count > 1 ? [`doubled: ${token} in shard ${shardId}, ${count} times`] : []
  }
}
