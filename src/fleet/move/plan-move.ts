import { sequencesSql } from '../../schema/closed-sequences-sql.ts'
import { dropFenceSql, openFenceSql, raiseFenceSql } from '../../schema/fence-sql.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { readShardDefinition } from '../clone/read-shard-definition.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import type { FleetLink } from '../servers.ts'
import { closeTargetSql, copyInSql, copyOutSql, createSlotAndSee, openSourceSql, openTargetSql } from './copy-sql.ts'
import { createMarkerTableSql, dropMarkerTableSql, writeMarker } from './marker-sql.ts'
import type { MoveOptions, MoveRecord } from './move-record.ts'
import { objectsOf } from './object-names.ts'
import { findMoveProblems } from './preflight.ts'
import { finishTablesSql, publishedTables, targetTablesSql } from './prepare-sql.ts'
import { readRemovals } from './remove-schema.ts'
import {
  createPublicationSql,
  createSlot,
  createSubscriptionSql,
  dropPublicationSql,
  dropSlot,
  dropSubscriptionSql,
  type SubscriptionStart,
} from './replication-sql.ts'
import { placeSql } from './switch.ts'

/** One step of a move, and the statements that it sends to one place. */
export interface PlannedStep {
  readonly step: string
  /** A server, or `catalog`. */
  readonly at: string
  readonly what: string
  /** Values that are not known yet stand as `$1`, `$2` …; a password as `***`. */
  readonly statements: readonly string[]
}

/** What a move would do, and what stands in its way. Nothing was changed. */
export interface MovePlan {
  readonly shardId: number
  readonly source: string
  readonly target: string
  /** Each with its remedy; a move is refused while there is one. */
  readonly problems: readonly string[]
  readonly tables: readonly { readonly name: string; readonly rowsEstimate: number; readonly bytes: number }[]
  readonly steps: readonly PlannedStep[]
}

/** Names of objects carry the number of the move and a tag, which a plan does not have. */
const NAMES = objectsOf({ moveId: 0, tag: 'planned' })

/** Plans the move of a shard: every step and statement, and all problems. */
export async function planMove(
  move: Pick<MoveRecord, 'shardId' | 'source' | 'target'>,
  source: FleetLink,
  target: FleetLink,
  { throttleBytesPerSecond }: Pick<MoveOptions, 'throttleBytesPerSecond'>,
): Promise<MovePlan> {
  const { shardId } = move
  const definition = await source.withSession((session) => readShardDefinition(session, shardId))
  const problems = await findMoveProblems({ move, source, target, definition: () => Promise.resolve(definition) })
  const removals = await source.withSession((session) => readRemovals(session, shardSchema(shardId)))
  const sides = { definition, removals, source, target, throttleBytesPerSecond }
  return Object.freeze({
    ...move,
    problems,
    tables: definition.tables.map(({ name, rowsEstimate, bytes }) => ({ name, rowsEstimate, bytes })),
    steps: [...planCopy(sides), ...planCutover(sides), ...planEnd(sides)],
  })
}

interface PlannedSides {
  readonly definition: ShardDefinition
  /** Statements that take the old shard away. */
  readonly removals: readonly string[]
  readonly source: FleetLink
  readonly target: FleetLink
  readonly throttleBytesPerSecond: number | undefined
}

function planCopy(sides: PlannedSides): PlannedStep[] {
  const { definition, source, target } = sides
  const { shardId } = definition
  const tables = publishedTables(definition)
  const at = { source: source.serverId, target: target.serverId }
  return [
    step('rehearsal', at.target, 'the whole definition, compared by its fingerprint, and rolled back', []),
    step('tables', at.source, 'a table of markers', [createMarkerTableSql(shardId)]),
    step(
      'tables',
      at.target,
      'schema, tables with primary keys and a fence',
      targetTablesSql(definition, { target: source.serverId, epoch: 0 }),
    ),
    step('publication', at.source, 'publishes the changes', [createPublicationSql(NAMES.forward, shardId, tables)]),
    ...planRows(sides),
    step('indexes', at.target, 'the rest of the definition, and statistics', finishTablesSql(definition)),
    step('way back', at.target, 'publication and slot for after the switch', [
      createPublicationSql(NAMES.reverse, shardId, tables),
      createSlot(NAMES.reverse).text,
    ]),
    step('compare', `${at.source}, ${at.target}`, 'live rows on both servers, by the sums of their hashes', []),
  ]
}

/** The slot, and the rows that are there before it: copied by the subscription, or by this process at a limited rate. */
function planRows({ definition, source, target, throttleBytesPerSecond }: PlannedSides): PlannedStep[] {
  const { shardId, tables } = definition
  if (throttleBytesPerSecond === undefined) {
    return [
      step('slot', source.serverId, 'keeps changes from here on', [createSlot(NAMES.forward).text]),
      step('subscription', target.serverId, 'copies the rows, then follows the changes', [
        createForwardSql(source, { isCopying: true }),
      ]),
    ]
  }
  const fence = { shardId, target: source.serverId, epoch: 0 }
  const rate = `at most ${throttleBytesPerSecond} bytes per second through this process`
  return [
    step('throttled copy', source.serverId, `keeps changes from here on, and sends the rows, ${rate}`, [
      ...openSourceSql,
      createSlotAndSee(NAMES.forward).text,
      ...tables.map((table) => copyOutSql(shardId, table)),
    ]),
    step('throttled copy', target.serverId, 'receives the rows, behind the fence', [
      ...openTargetSql(fence, tables),
      ...tables.map((table) => copyInSql(shardId, table)),
      ...closeTargetSql(fence, tables),
      'commit',
    ]),
    step('subscription', target.serverId, 'follows the changes', [createForwardSql(source, { isCopying: false })]),
  ]
}

function planCutover({ definition, source, target }: PlannedSides): PlannedStep[] {
  const { shardId, tables } = definition
  const names = tables.map(({ name }) => name)
  const fence = { shardId, target: target.serverId, epoch: 0 }
  return [
    step(
      'fence',
      source.serverId,
      'refuses all writes and all use of sequences; the pause begins',
      raiseFenceSql(fence, names, { hasRows: true }),
    ),
    step('marker', source.serverId, 'once it has reached the target, no change is missing', [
      writeMarker(shardId, '').text,
    ]),
    step('sequences', `${source.serverId}, ${target.serverId}`, 'so that no key is issued twice', [
      `select ${sequencesSql(shardId)}`,
    ]),
    step('switch', 'catalog', 'one transaction, the point of no return', [placeSql]),
    step('let write', target.serverId, 'opens the fence and the sequences there; the pause ends', [
      openFenceSql(shardId),
    ]),
  ]
}

function planEnd({ definition, source, target, removals }: PlannedSides): PlannedStep[] {
  return [
    step('turn', target.serverId, 'the forward stream ends', dropSubscriptionSql(NAMES.forward)),
    step('turn', source.serverId, 'the reverse stream begins', [
      dropSlot(NAMES.forward).text,
      dropPublicationSql(NAMES.forward),
      createReverseSql(target),
    ]),
    step('prove', `${source.serverId}, ${target.serverId}`, 'all rows, on snapshots of the cutover', []),
    step(
      'complete',
      source.serverId,
      'on npx pg-hypervault move complete: drops the reverse stream and the old shard',
      [...dropSubscriptionSql(NAMES.reverse), ...removals],
    ),
    step('complete', target.serverId, 'on npx pg-hypervault move complete', [
      dropSlot(NAMES.reverse).text,
      dropPublicationSql(NAMES.reverse),
      ...dropFenceSql(definition.shardId),
      dropMarkerTableSql(definition.shardId),
    ]),
  ]
}

function createForwardSql(source: FleetLink, start: SubscriptionStart): string {
  return createSubscriptionSql(NAMES.forward, describeConnection(source), start)
}

function createReverseSql(target: FleetLink): string {
  return createSubscriptionSql(NAMES.reverse, describeConnection(target), { isCopying: false, isLocalOnly: true })
}

function describeConnection({ server }: FleetLink): string {
  const { host = '', port = '', database = '', user = '' } = server.settings
  return `host=${host} port=${port} dbname=${database} user=${user} password=***`
}

function step(name: string, at: string, what: string, statements: readonly string[]): PlannedStep {
  return Object.freeze({ step: name, at, what, statements: Object.freeze([...statements]) })
}
