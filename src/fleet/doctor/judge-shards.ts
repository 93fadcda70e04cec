import { elapsedMsOf } from '../../key/layout.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { FleetRecord } from '../../catalog/fleet-record.ts'
import { splitProblem, type Diagnosis } from './finding.ts'
import type { ServerReading } from './server-reading.ts'

/** Half of the milliseconds of a key: from here on its sign bit is set. */
const SIGN_BIT_MS = 2 ** 40
const YEAR_MS = 365 * 24 * 3_600_000

/**
 * Compares where the catalog says that shards live with where they are. Shards that move are left out: they are on two
 * servers by design.
 */
export function judgePlaces(
  { servers }: Pick<FleetRecord, 'servers'>,
  readings: readonly ServerReading[],
  moving: ReadonlySet<number>,
): Diagnosis[] {
  const homes = new Map(servers.flatMap(({ serverId, shardIds }) => shardIds.map((shardId) => [shardId, serverId])))
  const holders = new Map<number, string[]>()
  for (const { serverId, schemas } of readings) {
    for (const shardId of schemas.keys()) holders.set(shardId, [...(holders.get(shardId) ?? []), serverId])
  }
  const isResting = (shardId: number): boolean => !moving.has(shardId)
  const missing = readings.flatMap((reading) => findMissingShards(reading, homes, holders))
  const strays = [...holders].flatMap(([shardId, serverIds]) => judgeHolders(shardId, serverIds, homes.get(shardId)))
  return [...missing, ...strays].filter(({ shardId }) => shardId === undefined || isResting(shardId))
}

/** What keeps shards from moving, and what is wrong with the making of their keys. */
export function judgeShards(reading: ServerReading): Diagnosis[] {
  const { serverId, shardProblems, strayDependents, cachedSequences, highestIds } = reading
  const tell = (kind: Diagnosis['kind'], cannot: string) => {
    return ([shardId, problems]: readonly [number, readonly string[]]): Diagnosis[] =>
      problems.map((text) => {
        const { what, remedy } = splitProblem(text)
        return { kind, level: 'problem', serverId, shardId, what: `shard ${shardId} cannot ${cannot}: ${what}`, remedy }
      })
  }
  return [
    ...[...shardProblems].flatMap(tell('shard-immovable', 'move')),
    ...[...strayDependents].flatMap(tell('shard-irremovable', `be taken away from server ${serverId}`)),
    ...cachedSequences.map((shardId) => cachedSequence(serverId, shardId)),
    ...[...highestIds].flatMap(([shardId, id]) => judgeHighestId(serverId, shardId, id)),
  ]
}

function findMissingShards(
  { serverId, schemas }: ServerReading,
  homes: ReadonlyMap<number, string>,
  holders: ReadonlyMap<number, readonly string[]>,
): Diagnosis[] {
  const own = [...homes].filter(([, home]) => home === serverId).map(([shardId]) => shardId)
  return own
    .filter((shardId) => schemas.get(shardId)?.hasEntities !== true)
    .map((shardId): Diagnosis => {
      const others = (holders.get(shardId) ?? []).filter((other) => other !== serverId)
      const elsewhere = others.length === 0 ? '' : `, and ${others.join(', ')} has a schema ${shardSchema(shardId)}`
      return {
        kind: 'shard-missing',
        level: 'problem',
        serverId,
        shardId,
        what: `shard ${shardId} is to live on server ${serverId}, which does not have it${elsewhere}`,
        remedy:
          others.length === 0
            ? 'a new shard is made by npx pg-hypervault init; rows that were there come back from a backup alone'
            : 'npx pg-hypervault catalog history tells who moved it; do not run npx pg-hypervault init before you know',
      }
    })
}

function judgeHolders(shardId: number, serverIds: readonly string[], home: string | undefined): Diagnosis[] {
  const schema = shardSchema(shardId)
  return serverIds
    .filter((serverId) => serverId !== home)
    .map((serverId): Diagnosis => {
      const remedy = `look what is in it; if nobody needs it, at server ${serverId} drop what is in it, and then: drop schema ${schema}`
      return home === undefined
        ? {
            kind: 'shard-unplaced',
            level: 'problem',
            serverId,
            shardId,
            what: `server ${serverId} has a schema ${schema}, and the catalog places shard ${shardId} nowhere`,
            remedy,
          }
        : {
            kind: 'shard-stray',
            level: 'problem',
            serverId,
            shardId,
            what: `shard ${shardId} lives on server ${home}, and server ${serverId} has a schema ${schema} as well`,
            remedy,
          }
    })
}

function cachedSequence(serverId: string, shardId: number): Diagnosis {
  const statement = `alter sequence ${shardSchema(shardId)}.table_id_seq cache 1`
  return {
    kind: 'sequence-cached',
    level: 'problem',
    serverId,
    shardId,
    what: `the sequence of shard ${shardId} on server ${serverId} has a cache: keys made at the same time come out of order, and repeat sooner`,
    remedy: statement,
    fix: { serverId, shardId, statement },
  }
}

function judgeHighestId(serverId: string, shardId: number, id: bigint): Diagnosis[] {
  if (id < 0n || elapsedMsOf(id) < SIGN_BIT_MS - YEAR_MS) return []
  return [
    {
      kind: 'keys-near-sign-bit',
      level: 'notice',
      serverId,
      shardId,
      what: `the highest key of shard ${shardId}, ${id}, is less than a year from the ids that are negative in SQL`,
      remedy: 'compare keys by Key.compare, and order SQL of your own by (id < 0), id',
    },
  ]
}
