import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../../schema/server-session.ts'
import * as definition from './definition-queries.ts'
import * as ownership from './ownership-queries.ts'
import { selectForeignTypes, selectRefusals } from './refusal-queries.ts'
import type { ClonedTable, ShardDefinition } from './shard-definition.ts'

const beforeCopy = [
  definition.selectExtension,
  definition.selectTypes,
  definition.selectSequences,
  definition.selectFunctions,
  definition.selectTables,
  definition.selectStorage,
  definition.selectPrimaryKeys,
  definition.selectIdentityIndexes,
  definition.selectReplicaIdentities,
]

const afterCopy = [
  definition.selectConstraints,
  definition.selectViews,
  definition.selectIndexes,
  definition.selectForeignKeys,
  definition.selectStatistics,
  definition.selectTriggers,
  definition.selectRules,
  definition.selectPolicies,
  definition.selectSequenceOwners,
  ownership.selectOwners,
  ownership.selectGrants,
  ownership.selectComments,
]

const identities = { d: 'default', i: 'index', f: 'full', n: 'nothing' } as const

/** An empty search path makes the server qualify every name. One snapshot, so that all parts belong together. */
const OPENING = ['begin isolation level repeatable read read only', "set local search_path = ''"]

/** A function may name what is made only after it. */
const SETTINGS = ['set local check_function_bodies = off', "set local search_path = ''"]

/** Reads what a shard is made of. */
export function readShardDefinition(session: ServerSession, shardId: number): Promise<ShardDefinition> {
  const schema = shardSchema(shardId)
  const read = (text: string): Promise<ServerRow[]> => session.read({ text, values: [schema] })
  const list = async (texts: readonly string[]): Promise<string[]> => {
    const lists: string[][] = []
    for (const text of texts) lists.push((await read(text)).map(([statement]) => statement ?? ''))
    return lists.flat()
  }
  return session.transaction(OPENING, async () =>
    Object.freeze({
      shardId,
      tables: (await read(selectClonedTables)).map(toTable),
      sequences: await list([selectSequenceNames]),
      beforeCopy: [...SETTINGS, `create schema ${schema}`, ...(await list(beforeCopy))],
      afterCopy: [...SETTINGS, ...(await list(afterCopy))],
      types: await list([selectForeignTypes]),
      roles: await list([ownership.selectRoles]),
      owners: await list([ownership.selectOwnerRoles]),
      refusals: await list([selectRefusals]),
    }),
  )
}

/** What has to do with whether a shard can move, and where to. */
export type ShardNeeds = Pick<ShardDefinition, 'shardId' | 'tables' | 'types' | 'roles' | 'owners' | 'refusals'>

/** Reads for many shards what {@link readShardDefinition} would say of where they can go, with fewer statements. */
export function readShardNeeds(session: ServerSession, shardIds: readonly number[]): Promise<ShardNeeds[]> {
  return session.transaction(OPENING, async () => {
    const needs: ShardNeeds[] = []
    for (const shardId of shardIds) needs.push(await readNeeds(session, shardId))
    return needs
  })
}

async function readNeeds(session: ServerSession, shardId: number): Promise<ShardNeeds> {
  const read = (text: string): Promise<ServerRow[]> => session.read({ text, values: [shardSchema(shardId)] })
  const list = async (text: string): Promise<string[]> => (await read(text)).map(([each]) => each ?? '')
  return {
    shardId,
    tables: (await read(selectClonedTables)).map(toTable),
    types: await list(selectForeignTypes),
    roles: await list(ownership.selectRoles),
    owners: await list(ownership.selectOwnerRoles),
    refusals: await list(selectRefusals),
  }
}

const selectClonedTables = `
select relname, relreplident, reltuples::bigint, pg_table_size(oid),
  (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) order by place)
   from pg_index, unnest(indkey) with ordinality as keys (number, place)
   join pg_attribute on attnum = number
   where indrelid = pg_class.oid and indisprimary and attrelid = pg_class.oid)
from pg_class
where relnamespace = $1::regnamespace and relkind = 'r' and relname <> 'hv_marker'
order by relname`

const selectSequenceNames = `
select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'S' order by relname`

function toTable([name, identity, rows, bytes, key]: ServerRow): ClonedTable {
  const columns = JSON.parse(key ?? '[]') as [string, string][]
  return Object.freeze({
    name: name ?? '',
    key: columns.map(([column, type]) => ({ name: column, type })),
    identity: identities[(identity ?? 'd') as keyof typeof identities],
    rowsEstimate: Number(rows),
    bytes: Number(bytes),
  })
}
