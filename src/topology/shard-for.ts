import { createHash } from 'node:crypto'

/**
 * Place of a value in a list of `count` shards: the first 8 bytes of the md5 of its UTF-8 text, unsigned, big-endian,
 * modulo `count`. A bigint counts as its decimal text.
 *
 * @throws TypeError for another type, or text with a lone surrogate (it has no UTF-8)
 */
export function shardIndexFor(value: string | bigint, count: number): number {
  const text = typeof value === 'bigint' ? String(value) : value
  if (typeof text !== 'string') throw new TypeError(`shardFor takes a string or a bigint, got ${typeof text}`)
  if (!text.isWellFormed()) throw new TypeError('shardFor takes well-formed text, got a lone surrogate')
  return Number(createHash('md5').update(text, 'utf8').digest().readBigUInt64BE(0) % BigInt(count))
}
