import type { Command } from 'commander'
import { assertKind } from '../../entity/rows/entity.ts'
import { readBody } from '../arguments/body-argument.ts'
import { parseInteger } from '../arguments/numbers.ts'
import { parseShard } from '../arguments/shards.ts'
import type { Context } from '../context.ts'

/** `npx pg-hypervault put`: stores one entity. */
export function addPutCommand(program: Command, context: Context): void {
  program
    .command('put')
    .summary('store an entity and print its key')
    .description('Stores an entity in a logical shard and prints its key, after the commit.')
    .argument('<shard>', 'logical shard, 0 to 8191')
    .argument('<kind>', 'small integer that identifies the type of entity')
    .argument(
      '<body...>',
      'key=value pairs, one JSON object of text and null, or - to read such an object from standard input',
    )
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault put 5 1 beep=boop name='Ada Lovelace'
  npx pg-hypervault put 5 1 '{"beep":"boop","gone":null}'
  jq '{name,country}' city.json | npx pg-hypervault put 5 1 - --json

With --json: { "key", "shardId", "kind", "serverId" }.`,
    )
    .action((shard: string, kind: string, body: string[]) => runPut(shard, kind, body, context))
}

async function runPut(shard: string, kind: string, bodyArguments: string[], context: Context): Promise<void> {
  const shardId = parseShard('shard', shard)
  const kindNumber = parseInteger('kind', kind, assertKind)
  const body = await readBody(bodyArguments, context.stdin)
  await context.withDatastore(async (db) => {
    const { serverId } = db.topology.getServer(shardId)
    const key = await db.put(shardId, kindNumber, body)
    await (context.isJson
      ? context.output.json({ key, shardId, kind: kindNumber, serverId })
      : context.output.data(`${key}`))
  })
}
