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
    ...[...strayDependents].flatMap(tell('shard-irremovable', `be dropped from server ${serverId}`)),
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
        what: `shard ${shardId} should be on server ${serverId}, which does not have it${elsewhere}`,
        remedy:
          others.length === 0
            ? 'to create a new shard, run npx pg-hypervault init; lost rows can be restored only from a backup'
            : 'npx pg-hypervault catalog history shows who moved it; do not run npx pg-hypervault init before you know',
      }
    })
}

function judgeHolders(shardId: number, serverIds: readonly string[], home: string | undefined): Diagnosis[] {
  const schema = shardSchema(shardId)
  return serverIds
    .filter((serverId) => serverId !== home)
    .map((serverId): Diagnosis => {
      const remedy = `check its contents; if nothing in it is needed, drop its objects on server ${serverId}, and then: drop schema ${schema}`
      return home === undefined
        ? {
            kind: 'shard-unplaced',
            level: 'problem',
            serverId,
            shardId,
            what: `server ${serverId} has a schema ${schema}, but the catalog does not place shard ${shardId} on any server`,
            remedy,
          }
        : {
            kind: 'shard-stray',
            level: 'problem',
            serverId,
            shardId,
            what: `shard ${shardId} lives on server ${home}, but server ${serverId} also has a schema ${schema}`,
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
    what: `the sequence of shard ${shardId} on server ${serverId} has a cache: keys generated at the same time are out of order, and repeat sooner`,
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
      what: `the highest key of shard ${shardId}, ${id}, is less than a year away from ids that are negative in SQL`,
      remedy: 'compare keys with Key.compare, and order your own SQL by (id < 0), id',
    },
  ]
}
