import type { ShardSession, ShardStatement } from '../../shard/shard-session.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { conditionsOf } from './conditions.ts'
import type { CheckedQuery } from './find-query.ts'
import { findStatements } from './find-statement.ts'
import { readPlan, type PlanNode } from './plan-nodes.ts'

/*
 * Whether an index serves a find. The plan of the find itself says what the server does with the table as it is now; of
 * a small table it reads the whole, whatever indexes there are. So the conditions on kind and body are planned once
 * more, without the keys and with sequential scans out of favour: an index that appears then could serve.
 */

/** How a find gets to its entities. */
export type FindAccess =
  /** By an index on the body or on the kind. */
  | 'index'
  /** In the order of the keys, looking at each entity on the way until there are enough. */
  | 'keys'
  /** By reading the whole table. */
  | 'sequential'
  /** Not at all: no key can be meant. */
  | 'nothing'

/** What a server makes of a find. */
export interface FindPlan {
  /** How it would be done now. */
  readonly access: FindAccess
  /** The indexes that would be used now, apart from the primary key. */
  readonly indexes: readonly string[]
  /** The indexes that serve `kind` and `where` once the table is large enough for it; none means: make one. */
  readonly usable: readonly string[]
  /** False when neither `indexes` nor `usable` has any although the find asks for a kind or has a `where`. */
  readonly isServed: boolean
  /** The plan as the server prints it. It holds the values of the find. */
  readonly text: string
}

const nothing: FindPlan = Object.freeze({
  access: 'nothing',
  indexes: [],
  usable: [],
  isServed: true,
  text: 'no key can match: the server is not queried',
})

/** Name of the primary key, whose index leads to keys and not to what is in an entity. */
const PRIMARY_KEY = 'entities_pk'

const preferIndexes: ShardStatement = Object.freeze({
  text: 'set local enable_seqscan = off',
  values: [],
  isWrite: false,
})

/** Plans a find without doing it. */
export function explainFind(
  session: ShardSession,
  query: CheckedQuery,
  hstoreType: string | undefined,
): Promise<FindPlan> {
  const statements = findStatements(session.shardId, query, hstoreType)
  if (statements === undefined) return Promise.resolve(nothing)
  const statement = statements.quick ?? statements.exact()
  return session.transaction(async () => {
    const nodes = await planOf(session, statement)
    const text = (await session.run(explained(statement, 'text'))).map(([line]) => line).join('\n')
    await session.run(preferIndexes)
    const usable = indexesIn(await planOf(session, contentStatement(session.shardId, query, hstoreType)))
    return describePlan(nodes, usable, text, asksForContent(query, hstoreType))
  })
}

function describePlan(
  nodes: readonly PlanNode[],
  usable: readonly string[],
  text: string,
  asksForContent: boolean,
): FindPlan {
  const indexes = indexesIn(nodes)
  const isServed = !asksForContent || indexes.length > 0 || usable.length > 0
  return Object.freeze({ access: accessOf(nodes, indexes), indexes, usable, isServed, text })
}

function accessOf(nodes: readonly PlanNode[], indexes: readonly string[]): FindAccess {
  if (nodes.some(({ isSequential }) => isSequential)) return 'sequential'
  return indexes.length > 0 ? 'index' : 'keys'
}

function indexesIn(nodes: readonly PlanNode[]): string[] {
  const names = nodes.map(({ index }) => index).filter((index) => index !== undefined && index !== PRIMARY_KEY)
  return [...new Set(names as string[])]
}

async function planOf(session: ShardSession, statement: ShardStatement): Promise<PlanNode[]> {
  const [row] = await session.run(explained(statement, 'json'))
  return readPlan(row?.[0] ?? '[]')
}

function explained(statement: ShardStatement, format: 'json' | 'text'): ShardStatement {
  return { ...statement, text: `explain (format ${format}, costs true)\n${statement.text}` }
}

/** The entities that kind and where mean, in no order: nothing that the primary key could be of use for. */
function contentStatement(shardId: number, query: CheckedQuery, hstoreType: string | undefined): ShardStatement {
  const { terms, values } = conditionsOf(query, hstoreType)
  const text = `select body\nfrom ${shardSchema(shardId)}.entities\nwhere ${['true', ...terms].join('\n  and ')}`
  return { text, values, isWrite: false }
}

function asksForContent(query: CheckedQuery, hstoreType: string | undefined): boolean {
  return conditionsOf(query, hstoreType).terms.length > 0
}
