import { isHypervaultError } from '../errors.ts'
import { elapsedMsOf, shardIdOf } from '../key/layout.ts'
import { shardSchema } from '../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../server/server-session.ts'
import { isCurrentNextId } from './plan-shard.ts'
import type { ShardLayout } from './shard-layout.ts'

/*
 * A `next_id()` of unknown text is not read but called: its key must be of this shard, and of the time between two
 * readings of the server's own clock. So every other epoch and shift shows, and the function may be replaced without
 * repeating or misrouting a key. A call takes one number of the sequence and nothing else.
 */

const NOW_MS = 'floor(extract(epoch from clock_timestamp()) * 1000)::bigint'

/** Most shards per statement: few, because a backend keeps the compiled body of each function it called. */
const SHARDS_PER_STATEMENT = 64

/** Without `next_id()` only a stored key can be looked at. Clocks differ, and may have been set back since. */
const STORED_KEY_SLACK_MS = 86_400_000

interface Sample {
  readonly shardId: number
  readonly isNew: boolean
}

/** What is wrong with the keys of these shards: the problem by shard, for those that have one. */
export async function proveKeys(
  session: ServerSession,
  layouts: readonly ShardLayout[],
  epochMs: number,
): Promise<Map<number, string>> {
  const samples = layouts.flatMap((layout) => toSample(layout, epochMs))
  const problems = new Map<number, string>()
  for (let first = 0; first < samples.length; first += SHARDS_PER_STATEMENT) {
    const found = await proveSamples(session, samples.slice(first, first + SHARDS_PER_STATEMENT), epochMs)
    for (const [shardId, problem] of found) problems.set(shardId, problem)
  }
  return problems
}

/** A function whose sequence is missing cannot be called; the keys that it gave can be looked at. */
function toSample({ shardId, sequence, nextId, entities }: ShardLayout, epochMs: number): Sample[] {
  if (nextId !== undefined && isCurrentNextId(shardId, nextId, epochMs)) return []
  if (nextId !== undefined && sequence !== undefined) return [{ shardId, isNew: true }]
  return entities === undefined ? [] : [{ shardId, isNew: false }]
}

async function proveSamples(
  session: ServerSession,
  samples: readonly Sample[],
  epochMs: number,
): Promise<[number, string][]> {
  try {
    const rows = await session.read({ text: samples.map(sampleSql).join('\nunion all\n') })
    const rowOf = new Map(rows.map(([shardId, ...row]) => [Number(shardId), row]))
    return samples.flatMap((sample) => findKeyProblem(sample, rowOf.get(sample.shardId), epochMs))
  } catch (error) {
    if (!isHypervaultError(error, 'HV_STATEMENT_FAILED')) throw error
    const [sample, ...others] = samples
    if (sample === undefined) throw error
    // One of them cannot be called: each is tried alone, so that it can be named.
    if (others.length === 0) return [[sample.shardId, `its keys cannot be read: ${error.message}`]]
    return proveOneByOne(session, samples, epochMs)
  }
}

async function proveOneByOne(
  session: ServerSession,
  samples: readonly Sample[],
  epochMs: number,
): Promise<[number, string][]> {
  const problems: [number, string][] = []
  for (const sample of samples) problems.push(...(await proveSamples(session, [sample], epochMs)))
  return problems
}

function sampleSql({ shardId, isNew }: Sample): string {
  const schema = shardSchema(shardId)
  const key = isNew ? `${schema}.next_id()` : `(select id from ${schema}.entities order by id desc limit 1)`
  return `select ${shardId}, ${NOW_MS}, ${key}, ${NOW_MS}`
}

function findKeyProblem({ shardId, isNew }: Sample, row: ServerRow | undefined, epochMs: number): [number, string][] {
  const [before, key, after] = row ?? []
  if (key == null) return []
  const id = BigInt(key)
  const name = isNew ? 'next_id() gives keys' : 'its newest key is one'
  if (shardIdOf(id) !== shardId) return [[shardId, `${name} of shard ${shardIdOf(id)}`]]
  const createdMs = epochMs + elapsedMsOf(id)
  const firstMs = isNew ? Number(before) - 1 : -Infinity
  const lastMs = Number(after) + (isNew ? 1 : STORED_KEY_SLACK_MS)
  if (createdMs >= firstMs && createdMs <= lastMs) return []
  const [keyTime, serverTime] = [createdMs, Number(after)].map((ms) => new Date(ms).toISOString())
  return [[shardId, `${name} of ${keyTime} by epoch ${epochMs}, at ${serverTime}: another epoch was used`]]
}
