import { formatBytes, formatCount } from '../src/cli/terminal/amounts.ts'
import { formatTable } from '../src/cli/terminal/table.ts'
import type { Datastore } from '../src/index.ts'
import type { StoredCity } from './load.ts'
import type { MoveShown } from './move.ts'

/** What one shard holds. */
export interface ShardSummary {
  readonly shardId: number
  readonly serverId: string
  readonly entities: number
  readonly bytes: number
}

/** Asks each shard what it holds. */
export function listShards(db: Datastore): Promise<ShardSummary[]> {
  return Promise.all(db.topology.shardIds.map((shardId) => summarize(db, shardId)))
}

function summarize(db: Datastore, shardId: number): Promise<ShardSummary> {
  return db.cursor(shardId, async (client) => {
    const table = `${client.escapeIdentifier(`shard${String(shardId).padStart(4, '0')}`)}.entities`
    const { rows } = await client.query<{ entities: number; bytes: number }>(
      `select count(*)::int as entities, pg_total_relation_size('${table}')::float8 as bytes from ${table}`,
    )
    return { shardId, serverId: client.serverId, entities: rows[0]?.entities ?? 0, bytes: rows[0]?.bytes ?? 0 }
  })
}

/** A table of all shards, with a last line of sums. */
export function showShards(shards: readonly ShardSummary[]): string {
  const sum = (of: (shard: ShardSummary) => number): number => shards.reduce((total, shard) => total + of(shard), 0)
  const rows = shards.map(({ shardId, serverId, entities, bytes }) => [
    String(shardId),
    serverId,
    formatCount(entities),
    formatBytes(bytes),
  ])
  rows.push(['all', '', formatCount(sum(({ entities }) => entities)), formatBytes(sum(({ bytes }) => bytes))])
  return formatTable(
    [
      { head: 'shard', align: 'right' },
      { head: 'server', align: 'left' },
      { head: 'entities', align: 'right' },
      { head: 'size', align: 'right' },
    ],
    rows,
  )
}

/** A few keys, with what they carry. */
export function showKeys(stored: readonly StoredCity[]): string {
  const chosen = [0.1, 0.5, 0.9].flatMap((part) => stored[Math.floor(part * stored.length)] ?? [])
  return formatTable(
    [
      { head: 'key', align: 'left' },
      { head: 'created', align: 'left' },
      { head: 'shard', align: 'right' },
      { head: 'sequence', align: 'right' },
      { head: 'city', align: 'left' },
    ],
    chosen.map(({ key, city }) => [
      key.toString(),
      key.created.toISOString(),
      String(key.shardId),
      String(key.addedId),
      `${city.name}, ${city.country}`,
    ]),
  )
}

/** A table of what a move under traffic has shown. */
export function showMove({ move, traffic, equal, cities }: MoveShown): string {
  const { shardId, source, target, rows, mismatches, pauseMs } = move
  const { acknowledged, lost, doubled, reads, wrongReads, failed, longestWriteMs } = traffic
  const heads = [
    'shard',
    'moved',
    'rows proved',
    'write pause',
    'writes',
    'lost',
    'doubled',
    'reads',
    'wrong',
    'failed',
  ]
  const table = formatTable(
    heads.map((head, at) => ({ head, align: at === 1 ? 'left' : 'right' })),
    [
      [
        String(shardId),
        `${source} to ${target}`,
        mismatches.length === 0 ? formatCount(rows) : 'DIFFER',
        `${pauseMs} ms`,
        ...[acknowledged, lost, doubled, reads, wrongReads, failed].map(formatCount),
      ],
    ],
  )
  return [
    table,
    '',
    `the longest that a writer waited for one answer: ${longestWriteMs} ms`,
    `${equal} of ${cities} cities of shard ${shardId} read back equal from ${target}`,
  ].join('\n')
}
