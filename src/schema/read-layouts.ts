import type { ServerRow, ServerSession, ServerStatement } from '../server/server-session.ts'
import { parseSpreadSource, SPREAD_FUNCTION } from '../topology/spread-sql.ts'
import {
  selectColumns,
  selectFunctions,
  selectIdDefaults,
  selectPrimaryKeys,
  selectRelations,
  selectSequences,
} from './catalog-statements.ts'
import { STATE_TABLE } from './migrations/state/state-sql.ts'
import type { EntitiesLayout, NextIdLayout, SequenceLayout, ShardLayout } from './shard-layout.ts'

/** A schema named like a shard. */
export interface ShardSchema {
  readonly oid: string
  readonly shardId: number
  /** Whether the role may make something in it. */
  readonly canCreate: boolean
}

/** Rows of one statement, by the oid in their first column. */
type RowsByOid = ReadonlyMap<string, readonly ServerRow[]>

interface CatalogRows {
  /** By schema. */
  readonly relations: RowsByOid
  readonly functions: RowsByOid
  /** By relation. */
  readonly sequences: RowsByOid
  readonly columns: RowsByOid
  readonly primaryKeys: RowsByOid
  readonly idDefaults: RowsByOid
}

/** Reads what is in these schemas. */
export async function readLayouts(session: ServerSession, schemas: readonly ShardSchema[]): Promise<ShardLayout[]> {
  if (schemas.length === 0) return []
  const rows = await readCatalogs(
    session,
    schemas.map(({ oid }) => oid),
  )
  return schemas.map((schema) => toLayout(schema, rows))
}

async function readCatalogs(session: ServerSession, schemas: readonly string[]): Promise<CatalogRows> {
  const read = async (statement: ServerStatement, by = 0): Promise<RowsByOid> =>
    groupBy(await session.read(statement), by)
  const relations = await read(selectRelations(schemas), 1)
  const sequences = oidsOf(relations, 'table_id_seq')
  const tables = oidsOf(relations, 'entities')
  return {
    relations,
    functions: await read(selectFunctions(schemas)),
    sequences: await read(selectSequences(sequences)),
    columns: await read(selectColumns(tables)),
    primaryKeys: await read(selectPrimaryKeys(tables)),
    idDefaults: await read(selectIdDefaults(tables)),
  }
}

function groupBy(rows: readonly ServerRow[], column: number): RowsByOid {
  const groups = new Map<string, ServerRow[]>()
  for (const row of rows) {
    const group = groups.get(String(row[column]))
    if (group === undefined) groups.set(String(row[column]), [row])
    else group.push(row)
  }
  return groups
}

function oidsOf(relations: RowsByOid, relation: string): string[] {
  return [...relations.values()].flatMap((rows) =>
    rows.flatMap(([oid, , name]) => (oid != null && name === relation ? [oid] : [])),
  )
}

function toLayout({ oid, shardId, canCreate }: ShardSchema, rows: CatalogRows): ShardLayout {
  const relations = rows.relations.get(oid) ?? []
  const functions = rows.functions.get(oid) ?? []
  const sequence = relations.find(([, , name, kind]) => name === 'table_id_seq' && kind === 'S')
  const entities = relations.find(([, , name]) => name === 'entities')
  const nextId = functions.find(([, name, argumentCount]) => name === 'next_id' && argumentCount === '0')
  const spread = functions.find(([, name, argumentCount]) => name === SPREAD_FUNCTION && argumentCount === '0')
  const states = relations.find(([, , name, kind]) => name === STATE_TABLE && kind === 'r')
  const others = [
    ...relations.filter((row) => ![sequence, entities, states].includes(row)).map((row) => row[2]),
    ...functions.filter((row) => row !== nextId && row !== spread).map((row) => `${row[1]}()`),
  ]
  return Object.freeze({
    shardId,
    sequence: sequence && toSequence(sequence, rows),
    nextId: nextId && toNextId(nextId),
    entities: entities && toEntities(entities, rows),
    hasStates: states !== undefined,
    spread: spread && parseSpreadSource(spread[5] ?? ''),
    canCreate,
    otherObjects: others.map(String).sort(),
  })
}

function toSequence([oid, , , , isOwned]: ServerRow, rows: CatalogRows): SequenceLayout {
  return { isOwned: isOwned === 't', cache: Number(rows.sequences.get(String(oid))?.[0]?.[1]) }
}

function toNextId([, , , isOwned, language, source, returns]: ServerRow): NextIdLayout {
  return { isOwned: isOwned === 't', language: String(language), source: String(source), returns: String(returns) }
}

function toEntities([oid, , , kind, isOwned]: ServerRow, rows: CatalogRows): EntitiesLayout {
  const columns = (rows.columns.get(String(oid)) ?? []).map(([, name, type, isRequired, hasDefault]) => ({
    name: String(name),
    type: String(type),
    isRequired: isRequired === 't',
    hasDefault: hasDefault === 't',
  }))
  const primaryKey = rows.primaryKeys.get(String(oid))?.[0]
  const hasIdDefault = columns.some(({ name, hasDefault }) => name === 'id' && hasDefault)
  return {
    kind: String(kind),
    isOwned: isOwned === 't',
    columns,
    primaryKey: primaryKey && toPrimaryKey(primaryKey),
    idDefault: hasIdDefault ? toIdDefault(rows.idDefaults.get(String(oid))?.[0]) : 'none',
  }
}

function toPrimaryKey([, name, columns]: ServerRow): { name: string; columns: string[] } {
  return { name: String(name), columns: JSON.parse(String(columns)) as string[] }
}

/** The expression shows the schema or not, as the search path has it; the dependency tells whose function it is. */
function toIdDefault(row: ServerRow | undefined): 'next_id' | 'other' {
  const [, expression, isOfShard] = row ?? []
  return isOfShard === 't' && /^(\w+\.)?next_id\(\)$/.test(expression ?? '') ? 'next_id' : 'other'
}
