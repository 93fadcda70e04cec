import { createHash } from 'node:crypto'

/** What makes one index another than the next. */
export interface IndexIdentity {
  readonly kind: number | undefined
  readonly field: string | undefined
  readonly cast: string | undefined
  readonly isUnique: boolean
}

/** PostgreSQL cuts longer names off, and then two of them may be the same. */
const MAX_NAME_BYTES = 63

const MAX_SLUG_LENGTH = 36

/**
 * The name of an index, `hv_index_email_0123456789ab`: the same for the same definition, another for any other one. So
 * an index with this name is this index. The middle is for people.
 */
export function indexName({ kind, field, cast, isUnique }: IndexIdentity): string {
  const definition = JSON.stringify([kind ?? null, field ?? null, cast ?? null, isUnique])
  const hash = createHash('sha256').update(definition).digest('hex').slice(0, 12)
  const name = `hv_index_${slugOf(field ?? 'body')}${hash}`
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new Error(`bug: the name ${name} is too long`)
  return name
}

function slugOf(field: string): string {
  const slug = field.toLowerCase().replace(/[^a-z0-9]+/g, '_')
  const cut = slug.slice(0, MAX_SLUG_LENGTH).replace(/^_+|_+$/g, '')
  return cut === '' ? '' : `${cut}_`
}
