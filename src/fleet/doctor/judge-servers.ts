import type { FleetRecord, FleetServer } from '../../catalog/fleet-record.ts'
import { MAX_SKEW_MS } from '../move/preflight.ts'
import { judgeServer, type ServerReadiness } from '../move/server-readiness.ts'
import { describeOutside } from '../../topology/spread.ts'
import { splitProblem, type Diagnosis } from './finding.ts'
import type { FailedReading, ServerReading } from './server-reading.ts'

/** Clocks further apart than this are worth a word: keys of two shards are out of order by as much. */
const NOTICED_SKEW_MS = 2_000

/** Prepared transactions as old as this are likely to be forgotten ones. */
const FORGOTTEN_SECONDS = 60

/** What is wrong with the server, whatever it holds. */
export function judgeReading(reading: ServerReading): Diagnosis[] {
  const { serverId, readiness, preparedTransactions } = reading
  return [
    ...judgeServer(serverId, readiness).map((text) => unready(serverId, text)),
    ...(reading.isPooled ? [pooled(serverId)] : []),
    ...preparedTransactions
      .filter(({ seconds }) => seconds >= FORGOTTEN_SECONDS)
      .map(({ gid, seconds }) => prepared(serverId, gid, seconds)),
  ]
}

/** A server that lacks something: `what: remedy`. */
export function unready(serverId: string, text: string): Diagnosis {
  return { kind: 'server-unready', level: 'problem', serverId, ...splitProblem(text) }
}

/** A server that did not answer, or that cannot be asked from here. */
export function judgeFailure({ serverId, failure, unusable }: FailedReading): Diagnosis {
  if (unusable !== undefined) {
    return { kind: 'server-unusable', level: 'problem', serverId, what: failure, remedy: unusable.hint }
  }
  return {
    kind: 'server-unreachable',
    level: 'problem',
    serverId,
    what: `server ${serverId} could not be queried: ${failure}`,
    remedy: 'start it, or correct its connection settings: npx pg-hypervault server list',
  }
}

/** A pooler in transaction mode on the way to a server, or to the catalog. */
export function pooled(serverId: string): Diagnosis {
  const isCatalog = serverId === 'catalog'
  return {
    kind: 'behind-pooler',
    level: isCatalog ? 'problem' : 'notice',
    serverId,
    what: isCatalog
      ? 'the catalog is reached through a pooler in transaction mode: leases of moves and notifications are lost'
      : `server ${serverId} is reached through a pooler in transaction mode: moves and migrations need dedicated sessions`,
    remedy: 'use the address of the server itself, or a pool in session mode',
  }
}

/** Clocks that are apart, over all servers. */
export function judgeClocks(readings: readonly Pick<ServerReading, 'serverId' | 'clockOffsetMs'>[]): Diagnosis[] {
  const sorted = [...readings].sort((a, b) => a.clockOffsetMs - b.clockOffsetMs)
  const [slow, fast] = [sorted[0], sorted.at(-1)]
  if (slow === undefined || fast === undefined) return []
  const skewMs = fast.clockOffsetMs - slow.clockOffsetMs
  if (skewMs <= NOTICED_SKEW_MS) return []
  return [
    {
      kind: 'clock-skew',
      level: skewMs > MAX_SKEW_MS ? 'problem' : 'notice',
      what: `the clock of server ${fast.serverId} is ${(skewMs / 1_000).toFixed(1)} s ahead of that of server ${slow.serverId}`,
      remedy: 'synchronize both with the same time server (NTP)',
    },
  ]
}

/** Servers that sort texts differently: rows are proved equal all the same, and a query gives another order after a move. */
export function judgeCollations(
  readings: readonly { readonly serverId: string; readonly readiness: Pick<ServerReadiness, 'collation'> }[],
): Diagnosis[] {
  if (new Set(readings.map(({ readiness }) => readiness.collation)).size <= 1) return []
  const named = readings.map(
    ({ serverId, readiness }) => `${serverId} has ${readiness.collation ?? 'another collation'}`,
  )
  return [
    {
      kind: 'collations-differ',
      level: 'notice',
      what: `the databases sort text differently, ${named.join(', ')}: after a move, a shard may return its rows in another order`,
      remedy: 'specify the collation in columns and queries, such as collate "C"',
    },
  ]
}

/** Settings of a server that this release does not know. Applications that run it do without them. */
export function judgeIgnored({ serverId, ignored }: FleetServer): Diagnosis[] {
  if (ignored === undefined) return []
  const what = `server ${serverId} has settings that this release does not know and ignores: ${ignored.join(', ')}`
  const remedy = `use the release that wrote them, or: npx pg-hypervault server set ${serverId} --unset NAME`
  return [{ kind: 'settings-ignored', level: 'notice', serverId, what, remedy }]
}

/** Shards that no value is spread over. */
export function judgeSpread({ servers, spread }: Pick<FleetRecord, 'servers' | 'spread'>): Diagnosis[] {
  const outside = describeOutside(
    spread,
    servers.flatMap(({ shardIds }) => shardIds),
  )
  return outside === undefined ? [] : [{ kind: 'shards-without-values', level: 'notice', ...outside }]
}

/** A server that is being drained and still has shards. */
export function judgeDraining({ serverId, state, shardIds }: FleetServer): Diagnosis[] {
  if (state !== 'draining' || shardIds.length === 0) return []
  const what = `server ${serverId} is being drained, and still has shards: ${shardIds.length}`
  return [{ kind: 'server-draining', level: 'notice', serverId, what, remedy: 'npx pg-hypervault rebalance --plan' }]
}

function prepared(serverId: string, gid: string, seconds: number): Diagnosis {
  const name = gid.replaceAll("'", "''")
  return {
    kind: 'prepared-transaction',
    level: 'problem',
    serverId,
    what: `server ${serverId} has a transaction prepared ${seconds} s ago, ${JSON.stringify(gid)}: no slot can be created, and dead rows cannot be removed`,
    remedy: `on server ${serverId}: commit prepared '${name}', or rollback prepared '${name}'`,
  }
}
