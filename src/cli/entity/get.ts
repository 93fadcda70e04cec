import type { Command } from 'commander'
import type { Datastore } from '../../datastore/datastore.ts'
import type { Entity } from '../../entity/rows/entity.ts'
import { isHypervaultError } from '../../errors.ts'
import type { Key } from '../../key/key.ts'
import { groupFailures } from '../../topology/like-failures.ts'
import { parseKey } from '../arguments/ids.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import { toFailure } from '../terminal/failure.ts'
import { printable } from '../terminal/printable.ts'

/** `npx pg-hypervault get`: entities by their keys. */
export function addGetCommand(program: Command, context: Context): void {
  program
    .command('get')
    .summary('print entities by their keys')
    .description(
      'Prints the entities with these keys. Missing entities are reported on standard error; the exit code is then 1.',
    )
    .argument('<key...>', 'decimal keys')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault get 307821103844175873
  npx pg-hypervault get --json 307821103844175873 307821103844175874 | jq -r .body.name

With --json: one document per line, in the order of the keys, { "key", "shardId", "kind", "body", "updated" }.`,
    )
    .action((ids: string[]) => runGet(ids, context))
}

async function runGet(ids: readonly string[], context: Context): Promise<void> {
  const { epochMs } = await context.findConfig()
  const keys = ids.map((id) => parseKey(id, epochMs))
  await context.withDatastore(async (db) => {
    const answers = await readShards(db, keys)
    for (const key of keys) await answer(key, answers.get(key.shardId), context)
    tellUnread(keys, answers, context)
  })
}

/** What a shard answered: its entities by id, or why it did not. */
type ShardAnswer = { entities: ReadonlyMap<bigint, Entity> } | { error: unknown }

/** One question to each shard, so that a server that is down leaves the answers of the others. */
async function readShards(db: Datastore, keys: readonly Key[]): Promise<ReadonlyMap<number, ShardAnswer>> {
  const shardIds = [...new Set(keys.map((key) => key.shardId))]
  const answers = shardIds.map(async (shardId): Promise<[number, ShardAnswer]> => {
    const own = keys.filter((key) => key.shardId === shardId)
    return [shardId, await readShard(db, own)]
  })
  return new Map(await Promise.all(answers))
}

async function readShard(db: Datastore, keys: readonly Key[]): Promise<ShardAnswer> {
  try {
    const found = (await db.getMany(keys)).filter((entity) => entity !== undefined)
    return { entities: new Map(found.map((entity) => [entity.key.id, entity])) }
  } catch (error) {
    return { error }
  }
}

async function answer(key: Key, shard: ShardAnswer | undefined, context: Context): Promise<void> {
  if (shard === undefined) throw new Error('bug: a shard was not asked')
  const entity = 'entities' in shard ? shard.entities.get(key.id) : undefined
  if (entity !== undefined) return printEntity(entity, context)
  context.exitCode = 1
  if ('entities' in shard) context.output.problem(`${key} does not exist (shard ${key.shardId})`)
}

/** The keys of shards that did not answer: one line for each cause. */
function tellUnread(keys: readonly Key[], answers: ReadonlyMap<number, ShardAnswer>, { output }: Context): void {
  const failures = keys.flatMap((key) => {
    const shard = answers.get(key.shardId)
    if (shard === undefined || 'entities' in shard) return []
    const { code, what, hint } = toFailure(shard.error)
    return [{ key, shardId: key.shardId, serverId: serverOf(shard.error), code, message: what, hint }]
  })
  for (const { members, message, where } of groupFailures(failures)) {
    const [first] = members
    const isOne = members.length === 1
    const which = isOne ? `${first?.key}` : `${formatCount(members.length)} keys`
    output.problem(`${which} could not be read: ${isOne ? '' : `${where}: `}${message}`, first?.hint)
  }
}

function serverOf(error: unknown): string | undefined {
  const details = isHypervaultError(error) ? error.details : {}
  return 'serverId' in details && typeof details.serverId === 'string' ? details.serverId : undefined
}

async function printEntity({ key, kind, body, updated }: Entity, { output, isJson }: Context): Promise<void> {
  const { shardId } = key
  if (isJson) return output.jsonLine({ key, shardId, kind, body, updated })
  const changed = updated === null ? '' : `  updated ${updated.toISOString()}`
  await output.data(
    `${output.paintData('bold', `${key}`)}  shard ${shardId}  kind ${kind}  ${key.created.toISOString()}${changed}`,
  )
  for (const [name, value] of Object.entries(body)) await output.data(`  ${printable(name)}: ${printable(value)}`)
}
