import type { Key } from '../src/index.ts'

/** A row of the traffic, as it was found in the shard: the number of its put, and the version of its last change. */
export interface FoundWrite {
  readonly key: Key
  readonly number: number
  readonly version: number
}

/** What became of what was acknowledged. */
export interface WriteAccount {
  readonly acknowledged: number
  /** Acknowledged, and not there, or only as it was before a change. */
  readonly lost: number
  /** Rows that one put left beyond the one it was acknowledged for. */
  readonly doubled: number
}

interface Promised {
  readonly key: Key
  readonly version: number
}

/** Remembers what writers were promised. A write whose end nobody saw promises nothing. */
export class WriteLedger {
  readonly #promised = new Map<number, Promised>()
  #acknowledged = 0

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** A put, or a change of what was put, was acknowledged. */
  note(number: number, key: Key, version: number): void {
    this.#promised.set(number, { key, version })
    this.#acknowledged += 1
  }

  /** Compares the promises with the rows that are there. */
  judge(rows: readonly FoundWrite[]): WriteAccount {
    const found = new Map(rows.map((row) => [row.key.toString(), row]))
    const isKept = ([number, { key, version }]: [number, Promised]): boolean => {
      const row = found.get(key.toString())
      return row !== undefined && row.number === number && row.version >= version
    }
    const lost = [...this.#promised].filter((promise) => !isKept(promise)).length
    const doubled = rows.length - new Set(rows.map(({ number }) => number)).size
    return { acknowledged: this.#acknowledged, lost, doubled }
  }
}
