import { isDeepStrictEqual } from 'node:util'
import { isHypervaultError, type Body, type Entity, type Key } from '../../../src/index.ts'

/** What must become of a put: it is there exactly once, at most once, or not at all. */
export type Fate = 'open' | 'stored' | 'maybe' | 'absent'

/** One put of the history. */
export interface PutRecord {
  readonly shardId: number
  readonly kind: number
  readonly body: Body
  /** SQLSTATE with which its shard refuses this body, if it does. */
  readonly refusal: string | undefined
  fate: Fate
  key?: Key
}

/** A row as it is found on a server. */
export interface StoredRow {
  readonly id: string
  readonly kind: number
  readonly body: Body
}

/** What is expected of a call that fails. */
export interface FailureTerms {
  /** Reason of its signal, if it has one. */
  readonly reason: unknown
  readonly isWrite: boolean
  readonly refusal?: string | undefined
}

/** Failures of a call that has done nothing; a backend that is killed or a pool that is full brings them about. */
const harmless: ReadonlySet<string> = new Set(['HV_CONNECTION_LOST', 'HV_CONNECT_FAILED', 'HV_POOL_TIMEOUT'])

const CANCELED = '57014' // query_canceled

/** What was done, what came of it, and whether that can be. Whatever cannot be is a violation. */
export class HistoryModel {
  readonly violations: string[] = []
  /** How often each outcome was seen. */
  readonly seen = new Map<string, number>()
  readonly #puts = new Map<string, PutRecord>()
  readonly #stored: PutRecord[] = []

  begin(token: string, put: Omit<PutRecord, 'fate'>): PutRecord {
    const record: PutRecord = { ...put, fate: 'open' }
    this.#puts.set(token, record)
    return record
  }

  acknowledge(record: PutRecord, key: Key): void {
    if (record.refusal !== undefined) return this.violate('a put that must be refused was acknowledged', record.body)
    if (key.shardId !== record.shardId) this.violate('a key of another shard', { key, shardId: record.shardId })
    this.#see('put acknowledged')
    record.fate = 'stored'
    record.key = key
    this.#stored.push(record)
  }

  /** @param wasAborted whether its signal was aborted before the call, so that it cannot have done anything */
  fail(record: PutRecord, error: unknown, terms: FailureTerms, wasAborted: boolean): void {
    const isUnknown = this.judgeFailure(error, terms) === 'unknown'
    record.fate = isUnknown && !wasAborted && record.refusal === undefined ? 'maybe' : 'absent'
  }

  /** A put that was acknowledged, by a random number of it. */
  storedAt(choice: number): PutRecord | undefined {
    return this.#stored[choice % Math.max(1, this.#stored.length)]
  }

  /** Compares what a get gave: the entity of a record, or nothing for a key that nobody has. */
  judgeEntity(entity: Entity | undefined, expected: PutRecord | undefined): void {
    const { key, kind, body } = expected ?? {}
    const wanted = expected && { key, kind, body, updated: null }
    if (!isDeepStrictEqual(entity, wanted)) this.violate('a get gave what is of another one', { entity, wanted })
    this.#see(expected === undefined ? 'nothing read' : 'entity read')
  }

  /** Tells whether the call may have done something after all. */
  judgeFailure(error: unknown, { reason, isWrite, refusal }: FailureTerms): 'nothing' | 'unknown' {
    if (reason !== undefined && error === reason) return this.#see('aborted', 'unknown')
    if (!isHypervaultError(error)) return this.#strange(error)
    const { code } = error
    if (isWrite && code === 'HV_OUTCOME_UNKNOWN') return this.#see(code, 'unknown')
    if (harmless.has(code)) return this.#see(code)
    const { sqlstate = '' } = error.details as { sqlstate?: string }
    const isExpected = code === 'HV_STATEMENT_FAILED' && (sqlstate === CANCELED || sqlstate === refusal)
    return isExpected ? this.#see(`${code} ${sqlstate}`) : this.#strange(error)
  }

  judgeRejected(error: unknown, type: typeof TypeError | typeof RangeError): void {
    this.#see('refused before it was sent')
    if (!(error instanceof type)) this.violate(`a bad argument was no ${type.name}`, error)
  }

  violate(what: string, details: unknown): void {
    this.violations.push(`${what}: ${JSON.stringify(details, stringifyError)}`)
  }

  /** Looks whether what the server of a shard holds can be. */
  checkRows(shardId: number, rows: readonly StoredRow[]): void {
    const found = new Set<string>()
    for (const { id, kind, body } of rows) {
      const token = String(body.token)
      const record = this.#puts.get(token)
      if (found.has(token)) this.violate('stored twice', body)
      found.add(token)
      if (record === undefined) this.violate('nobody has put this', body)
      else if (record.fate === 'absent') this.violate('stored although it was to fail', body)
      else if (!isDeepStrictEqual([shardId, kind, body], [record.shardId, record.kind, record.body])) {
        this.violate('stored as something else', { body, record })
      } else if (record.key !== undefined && String(record.key) !== id)
        this.violate('under another key', { id, record })
    }
    for (const [token, { shardId: home, fate, body }] of this.#puts) {
      if (home === shardId && fate === 'stored' && !found.has(token)) this.violate('lost', body)
      if (home === shardId && fate === 'open') this.violate('never settled', body)
    }
  }

  #strange(error: unknown): 'nothing' {
    this.violate('a failure without a good code', error)
    return 'nothing'
  }

  #see<T extends 'nothing' | 'unknown' = 'nothing'>(what: string, outcome = 'nothing' as T): T {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
    return outcome
  }
}

function stringifyError(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? `${value.stack}; ${JSON.stringify(Object.entries(value))}` : value
}
