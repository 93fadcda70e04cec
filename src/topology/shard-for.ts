import { hash } from 'node:crypto'

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
  return modulo(hash('md5', text), count)
}

/** The first 64 bits of hexadecimal text modulo a count of shards, in two halves: bigints would cost more than the hash. */
function modulo(hex: string, count: number): number {
  const high = parseInt(hex.slice(0, 8), 16) % count
  return (high * 0x1_0000_0000 + parseInt(hex.slice(8, 16), 16)) % count
}
