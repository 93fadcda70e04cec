import type { Command } from 'commander'
import type { Key } from '../../key/key.ts'
import type { Topology } from '../../topology/topology.ts'
import { parseKey, readIds } from '../arguments/ids.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { PartialConfig } from '../config/config.ts'
import type { Context } from '../context.ts'
import { toFailure } from '../terminal/failure.ts'

/** `npx pg-hypervault key`: what is in an id. */
export function addKeyCommand(program: Command, context: Context): void {
  program
    .command('key')
    .summary('decode keys: time, shard, sequence, server')
    .description(
      'Decodes keys, given as arguments or on standard input, one per line. Needs no server and no configuration.',
    )
    .argument('[id...]', 'decimal ids; without any, read standard input')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault key 307821103844175873
  psql -Atc 'select id from shard0012.entities' | npx pg-hypervault key --json

With --json: one document per line, { "key", "created", "shardId", "addedId", "serverId" }. The server is shown if there is
a configuration. Invalid ids are reported on standard error, the others are printed, and the exit code is 2.`,
    )
    .action((ids: string[]) => runKey(ids, context))
}

async function runKey(ids: readonly string[], context: Context): Promise<void> {
  const config = await context.findConfig()
  const topology = await tryLoadTopology(config, context)
  for await (const id of readIds(ids, context)) {
    const key = tryParse(id, config.epochMs, context)
    if (key !== undefined) await printKey(key, topology, context)
  }
}

function tryParse(id: string, epochMs: number, context: Context): Key | undefined {
  try {
    return parseKey(id, epochMs)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    context.output.problem(error.message)
    context.exitCode = 2
    return undefined
  }
}

/** Undefined without a configuration; a catalog that is down must not keep keys from being decoded. */
async function tryLoadTopology(config: PartialConfig, context: Context): Promise<Topology | undefined> {
  if (config.options === undefined) return undefined
  try {
    return await context.loadTopology(config)
  } catch (error) {
    context.output.problem(`servers cannot be shown: ${toFailure(error).what}`)
    return undefined
  }
}

async function printKey(key: Key, topology: Topology | undefined, { output, isJson }: Context): Promise<void> {
  const serverId = topology?.findServer(key.shardId)?.serverId ?? null
  const { created, shardId, addedId } = key
  if (isJson) return output.jsonLine({ key, created, shardId, addedId, serverId })
  const server = topology === undefined ? '' : `  ${serverId ?? 'no server'}`
  const parts = [created.toISOString(), `shard ${shardId}`.padEnd(10), `sequence ${addedId}`.padEnd(13)]
  return output.data(`${key.toString().padStart(20)}  ${parts.join('  ')}${server}`.trimEnd())
}
