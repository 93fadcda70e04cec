import type { CleanupKind } from '../move/journal.ts'

/** What a finding is about. */
export type FindingKind =
  | 'server-unreachable'
  | 'server-unready'
  | 'server-unusable'
  | 'settings-ignored'
  | 'server-draining'
  | 'behind-pooler'
  | 'clock-skew'
  | 'collations-differ'
  | 'shard-missing'
  | 'shards-without-values'
  | 'shard-stray'
  | 'shard-unplaced'
  | 'shard-immovable'
  | 'shard-irremovable'
  | 'sequence-cached'
  | 'keys-near-sign-bit'
  | 'move-stopped'
  | 'stream-stopped'
  | 'slot-lost'
  | 'leftover'
  | 'prepared-transaction'

/** Something about a fleet that is wrong, or that one should know. */
export interface Finding {
  readonly kind: FindingKind
  /** A `problem` makes the fleet unhealthy, a `notice` does not. */
  readonly level: 'problem' | 'notice'
  /** A server, `catalog`, or undefined when it is about the fleet. */
  readonly serverId: string | undefined
  readonly shardId: number | undefined
  /** What is wrong, in one sentence. */
  readonly what: string
  /** What to type, or to do. */
  readonly remedy: string
  /** Whether `fix` puts it right. */
  readonly isFixable: boolean
  readonly isFixed: boolean
  /** Why a fix did not succeed. */
  readonly fixProblem: string | undefined
}

/** What puts a finding right without touching a row, under the lease of the shard. */
export type Fix = { readonly serverId: string; readonly shardId: number } & (
  | { readonly remove: { readonly kind: Exclude<CleanupKind, 'schema'>; readonly name: string } }
  | { readonly statement: string }
)

/** A finding as a judgement gives it. */
export interface Diagnosis {
  readonly kind: FindingKind
  readonly level: 'problem' | 'notice'
  readonly serverId?: string
  readonly shardId?: number
  readonly what: string
  readonly remedy: string
  readonly fix?: Fix
}

/** A problem of the preflight: `what: remedy`. */
export function splitProblem(text: string): { what: string; remedy: string } {
  const at = text.indexOf(': ')
  return at === -1 ? { what: text, remedy: '' } : { what: text.slice(0, at), remedy: text.slice(at + 2) }
}
