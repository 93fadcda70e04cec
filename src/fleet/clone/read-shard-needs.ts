import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../../server/server-session.ts'
import { selectAlike } from './alike-queries.ts'
import { readDependents } from './dependents.ts'
import { selectOutsideDraws } from './outside-draws.ts'
import { selectRoles } from './ownership-queries.ts'
import { selectClonedTables, selectForeignTypes, selectRefusals } from './refusal-queries.ts'
import type { ClonedTable, ShardDefinition } from './shard-definition.ts'

/** What has to do with whether a shard can move, and where to. */
export type ShardNeeds = Pick<ShardDefinition, 'shardId' | 'tables' | 'types' | 'roles' | 'owners' | 'refusals'>

/**
 * Reads the needs of shards, in a few statements for all of them. A schema that is not there needs nothing. The session is
 * in a transaction with an empty search path, which makes the server qualify every name (`OPENING` of shape-sql.ts).
 */
export async function readShardNeeds(session: ServerSession, shardIds: readonly number[]): Promise<ShardNeeds[]> {
  const schemas = shardIds.map(shardSchema)
  const read = async (text: string): Promise<RowsOf> => bySchema(await session.read({ text, values: [schemas] }))
  const tables = await read(selectClonedTables)
  const types = await read(selectForeignTypes)
  const roles = await read(selectRoles)
  const refusals = await read(selectRefusals)
  const alike = await read(selectAlike)
  const dependents = await readDependents(session, schemas)
  const draws = await read(selectOutsideDraws)
  return shardIds.map((shardId) => {
    const schema = shardSchema(shardId)
    return {
      shardId,
      tables: tables(schema).map(toTable),
      types: types(schema).map(second),
      roles: roles(schema).map(second),
      owners: roles(schema)
        .filter(([, , isOwner]) => isOwner === 't')
        .map(second),
      refusals: [
        ...[...refusals(schema), ...alike(schema), ...draws(schema)].map(second),
        ...(dependents.get(schema) ?? []),
      ],
    }
  })
}

type RowsOf = (schema: string) => readonly ServerRow[]

function bySchema(rows: readonly ServerRow[]): RowsOf {
  const lists = new Map<string | null | undefined, ServerRow[]>()
  for (const row of rows) {
    const list = lists.get(row[0])
    if (list === undefined) lists.set(row[0], [row])
    else list.push(row)
  }
  return (schema) => lists.get(schema) ?? []
}

function second([, text]: ServerRow): string {
  return text ?? ''
}

function toTable([, name, rows, bytes, key, columns]: ServerRow): ClonedTable {
  const keyColumns = JSON.parse(key ?? '[]') as [string, string][]
  return Object.freeze({
    name: name ?? '',
    columns: JSON.parse(columns ?? '[]') as string[],
    key: keyColumns.map(([column, type]) => ({ name: column, type })),
    rowsEstimate: Number(rows),
    bytes: Number(bytes),
  })
}
