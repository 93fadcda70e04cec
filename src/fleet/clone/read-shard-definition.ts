import { shardSchema } from '../../key/shard-id.ts'
import { OPENING } from '../../schema/drift/shape/shape-sql.ts'
import { sameAnswersSql } from '../../schema/same-answers.ts'

import type { ServerRow, ServerSession } from '../../server/server-session.ts'
import * as definition from './definition-queries.ts'
import { selectObjects } from './object-queries.ts'
import * as ownership from './ownership-queries.ts'
import { readShardNeeds } from './read-shard-needs.ts'
import type { ShardDefinition } from './shard-definition.ts'

const beforeTables = [definition.selectExtension, definition.selectSequences]

const behindTables = [
  definition.selectColumnSettings,
  definition.selectPrimaryKeys,
  definition.selectIdentityIndexes,
  definition.selectReplicaIdentities,
]

const afterCopy = [
  definition.selectConstraints,
  definition.selectViewDefaults,
  definition.selectIndexes,
  definition.selectIndexSettings,
  definition.selectForeignKeys,
  definition.selectStatistics,
  definition.selectTriggers,
  definition.selectRules,
  definition.selectPolicies,
  definition.selectSequenceOwners,
]

const owning = [ownership.selectOwners, ownership.selectGrants, ownership.selectDefaultPrivileges]

/** A function may name what is made only after it; and the statements are read as they were written. */
const SETTINGS = ['set local check_function_bodies = off', ...sameAnswersSql.map((setting) => `set local ${setting}`)]

/** Reads what a shard is made of. */
export function readShardDefinition(session: ServerSession, shardId: number): Promise<ShardDefinition> {
  const schema = shardSchema(shardId)
  const list = async (texts: readonly string[]): Promise<string[]> => {
    const lists: ServerRow[][] = []
    for (const text of texts) lists.push(await session.read({ text, values: [schema] }))
    return lists.flat().map(([statement]) => statement ?? '')
  }
  return session.transaction(OPENING, async () => {
    const [needs] = await readShardNeeds(session, [shardId])
    if (needs === undefined) throw new Error('bug: a shard without an answer')
    const objects = await session.read({ text: selectObjects, values: [schema] })
    const made = (isLate: boolean): string[] =>
      objects.filter(([, late]) => (late === 't') === isLate).map(([statement]) => statement ?? '')
    return Object.freeze({
      ...needs,
      sequences: await list([selectSequenceNames]),
      beforeCopy: [
        ...SETTINGS,
        `create schema ${schema}`,
        ...(await list(beforeTables)),
        ...made(false),
        ...(await list(behindTables)),
      ],
      afterCopy: [
        ...SETTINGS,
        ...made(true),
        ...(await list(afterCopy)),
        ...(await listOwnership(session, schema)),
        ...(await list([definition.selectComments])),
      ],
    })
  })
}

async function listOwnership(session: ServerSession, schema: string): Promise<string[]> {
  const lists: ServerRow[][] = []
  for (const text of owning) {
    lists.push(await session.read({ text, values: [[schema]] }))
  }
  return lists.flat().map(([, statement]) => statement ?? '')
}

const selectSequenceNames = `
select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'S' order by relname`
