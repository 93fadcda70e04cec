import { MAX_ID, MIN_ID, shardIdOf } from '../../key/layout.ts'
import type { ExportedEntity } from './source-record.ts'

/*
 * A line of an export is known by fields that say the same twice: its shard is that of its key. With all of its fields there,
 * no other one, and each in the form in which an export writes it, no row of another origin is taken for one.
 */

/** What an export writes beside a body, as it stands there. */
export interface OwnFields {
  readonly key: unknown
  readonly shard: unknown
  readonly kind: unknown
  readonly created: unknown
  readonly updated: unknown
}

const MAX_KIND = 32_767

/** The entity that these fields are of; undefined unless an export wrote them. */
export function findExported({ key, shard, kind, created, updated }: OwnFields): ExportedEntity | undefined {
  if (!isId(key) || shardIdOf(BigInt(key)) !== shard || !isKind(kind) || !isTime(created)) return undefined
  return updated === null || isTime(updated) ? { key, kind, updated } : undefined
}

function isId(value: unknown): value is string {
  if (typeof value !== 'string' || !/^(?:0|-?[1-9]\d{0,18})$/.test(value)) return false
  return BigInt(value) >= MIN_ID && BigInt(value) <= MAX_ID
}

function isKind(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs((value as number) + 0.5) <= MAX_KIND + 0.5
}

/** Whether a value is a time as `toISOString` writes it. */
function isTime(value: unknown): value is string {
  if (typeof value !== 'string') return false
  const time = new Date(value)
  return !Number.isNaN(time.getTime()) && time.toISOString() === value
}
