import { createHash } from 'node:crypto'
import { HypervaultError } from '../../errors.ts'
import { MAX_SHARD_ID } from '../../key/layout.ts'
import { ByteReader, ByteWriter } from './byte-list.ts'
import { SHAPE_BYTES } from './query-shape.ts'

/*
 * A cursor is base64url of these bytes:
 *
 *   version     1 byte
 *   shape       6 bytes: hash of the query that it belongs to
 *   position    0 and nothing, or 1 and 8 bytes: the last key that was given, as an unsigned number
 *   missing     a count, and for each: 8 bytes, the first place from which entities are missing; then the shards, as a
 *               count of runs, and for each run the distance from the end of the one before, and its length
 *   checksum    6 bytes of the SHA-256 of all before
 *
 * The checksum finds out what was cut, mixed up or changed by hand; it is no signature. Who forges it gets to another
 * place of the same query, and nothing else: which entities are meant is not in the cursor.
 */

/** Entities of these shards have been left out, from a place on. */
export interface MissingStretch {
  readonly shardIds: readonly number[]
  /** The first place that is missing, in the direction of the order, as an unsigned number. */
  readonly from: bigint
}

/** How far a scan has come. */
export interface ScanPosition {
  /** The last key that was given, as an unsigned number; undefined if none was. */
  readonly after: bigint | undefined
  readonly missing: readonly MissingStretch[]
}

const VERSION = 1
const CHECKSUM_BYTES = 6
const HEAD_BYTES = 1 + SHAPE_BYTES

/** Makes the cursor of a position. */
export function encodeCursor({ after, missing }: ScanPosition, shapeHash: Buffer): string {
  const writer = new ByteWriter().bytes(Buffer.from([VERSION])).bytes(shapeHash)
  writer.varint(after === undefined ? 0 : 1)
  if (after !== undefined) writer.uint64(after)
  writer.varint(missing.length)
  for (const { from, shardIds } of missing) writeShards(writer.uint64(from), shardIds)
  const content = writer.end()
  return Buffer.concat([content, checksumOf(content)]).toString('base64url')
}

/**
 * Reads a cursor.
 *
 * @throws `HV_CURSOR_INVALID` for a damaged cursor, `HV_CURSOR_FOREIGN` for a cursor of another query
 */
export function decodeCursor(text: string, shapeHash: Buffer): ScanPosition {
  const bytes = Buffer.from(text, 'base64url')
  const content = bytes.subarray(0, -CHECKSUM_BYTES)
  // Decoding passes over what is not base64url, so the text is compared with what it should have been.
  const isWhole = bytes.toString('base64url') === text && content.length > HEAD_BYTES
  if (!isWhole || !checksumOf(content).equals(bytes.subarray(-CHECKSUM_BYTES))) throw invalidError('damaged')
  if (content[0] !== VERSION) throw invalidError('version')
  if (!content.subarray(1, HEAD_BYTES).equals(shapeHash)) throw foreignError()
  try {
    return readPosition(new ByteReader(content.subarray(HEAD_BYTES)))
  } catch {
    throw invalidError('damaged')
  }
}

function readPosition(reader: ByteReader): ScanPosition {
  const after = reader.varint() === 0 ? undefined : reader.uint64()
  const missing: MissingStretch[] = []
  for (let left = reader.varint(); left > 0; left -= 1) {
    missing.push({ from: reader.uint64(), shardIds: readShards(reader) })
  }
  if (!reader.isAtEnd) throw new RangeError('more than a position')
  return { after, missing }
}

function writeShards(writer: ByteWriter, shardIds: readonly number[]): void {
  const runs = runsOf(shardIds)
  writer.varint(runs.length)
  let end = 0
  for (const run of runs) {
    writer.varint(run.first - end).varint(run.end - run.first)
    end = run.end
  }
}

function readShards(reader: ByteReader): number[] {
  const shardIds: number[] = []
  let end = 0
  for (let left = reader.varint(); left > 0; left -= 1) {
    const first = end + reader.varint()
    end = first + reader.varint()
    // A forged cursor must not ask for more than there can be.
    if (end > MAX_SHARD_ID + 1) throw new RangeError('no shard')
    for (let shardId = first; shardId < end; shardId += 1) shardIds.push(shardId)
  }
  return shardIds
}

function runsOf(shardIds: readonly number[]): { first: number; end: number }[] {
  const runs: { first: number; end: number }[] = []
  for (const shardId of shardIds) {
    const last = runs.at(-1)
    if (last?.end === shardId) last.end = shardId + 1
    else runs.push({ first: shardId, end: shardId + 1 })
  }
  return runs
}

function checksumOf(content: Buffer): Buffer {
  return createHash('sha256').update(content).digest().subarray(0, CHECKSUM_BYTES)
}

function invalidError(reason: 'damaged' | 'version'): HypervaultError<'HV_CURSOR_INVALID'> {
  const texts = {
    damaged: 'after is not a cursor of a page, or is incomplete',
    version: 'after is a cursor of another version of Hypervault',
  }
  return new HypervaultError('HV_CURSOR_INVALID', texts[reason], { reason })
}

function foreignError(): HypervaultError<'HV_CURSOR_FOREIGN'> {
  const message = 'after is a cursor of another query: order, kind, where, times and shards must be the same'
  return new HypervaultError('HV_CURSOR_FOREIGN', message, {})
}
