import type { Command } from 'commander'
import type { PlacedFailure } from '../../topology/like-failures.ts'
import type { Context } from '../context.ts'
import { isHealthy, readServerStatus, type ServerStatus } from '../fleet/server-status.ts'
import { formatBytes, formatCount, formatShards } from '../terminal/amounts.ts'
import { failureLines } from '../terminal/failure-lines.ts'
import type { Output } from '../terminal/output.ts'
import { formatTable, type Column } from '../terminal/table.ts'

const columns: readonly Column[] = [
  { head: 'server', align: 'left' },
  { head: 'state', align: 'left' },
  { head: 'postgres', align: 'right' },
  { head: 'shards', align: 'right' },
  { head: 'entities', align: 'right' },
  { head: 'bytes', align: 'right' },
  { head: 'connections', align: 'right' },
  { head: 'latency', align: 'right' },
]

/** `npx pg-hypervault status`: how the configured servers are. */
export function addStatusCommand(program: Command, context: Context): void {
  program
    .command('status')
    .summary('print servers, versions, shards, entities, bytes, connections')
    .description(
      'Queries all configured servers at once. Exit code 1 if a server does not respond, or lacks a shard that it should hold.',
    )
    .option('--exact', 'count the entities on servers with more than 1 GB too, instead of showing an estimate (~)')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault status
  npx pg-hypervault status --json | jq '.servers[] | select(.reachable | not) | .problem'

With --json: { "ok", "servers": [{ "serverId", "range", "reachable", "problem", "latencyMs", "version",
"shards": { "expected", "found", "missing", "unfit" }, "entities", "isExact", "bytes",
"connections": { "open", "max" }, "pool" }] }.`,
    )
    .action(({ exact }: { exact?: boolean }) => runStatus(exact === true, context))
}

async function runStatus(isExact: boolean, context: Context): Promise<void> {
  const config = await context.loadConfig()
  const { servers: placed } = await context.loadTopology(config)
  const { output } = context
  const all = placed.map((server) => readServerStatus(server, config, isExact))
  const servers = await Promise.all(all)
  const ok = servers.every(isHealthy)
  if (!ok) context.exitCode = 1
  if (context.isJson) return output.json({ ok, servers: servers.map((server) => toDocument(server, output)) })
  if (servers.length === 0) return output.talk('The catalog has no servers yet: npx pg-hypervault server add')
  await output.data(
    formatTable(
      columns,
      servers.map((server) => toRow(server, output)),
    ),
  )
  const problems = failureLines(servers.flatMap(problemsOf))
  for (const line of [...problems, ...servers.flatMap(describeMissing)]) await output.data(output.redactor.redact(line))
}

function toDocument(server: ServerStatus, { redactor }: Output): unknown {
  const { serverId, range, content, failure, pool, latencyMs = null } = server
  const problem = failure === undefined ? null : redactor.redact(failure.what)
  const nothing = { version: null, shards: null, entities: null, isExact: null, bytes: null, connections: null }
  return { serverId, range, reachable: latencyMs !== null, problem, latencyMs, ...(content ?? nothing), pool }
}

function toRow(server: ServerStatus, output: Output): string[] {
  const state = describeState(server)
  const painted = output.paintData(state === 'up' ? 'green' : 'red', state)
  const { serverId, content, latencyMs } = server
  const latency = latencyMs === undefined ? '' : `${latencyMs} ms`
  if (content === undefined) return [serverId, painted, '', '', '', '', '', latency]
  const { version, shards, entities, isExact, bytes, connections } = content
  const found = `${formatCount(shards.found)}/${formatCount(shards.expected)}`
  const count = `${isExact ? '' : '~'}${formatCount(entities)}`
  const open = `${formatCount(connections.open)}/${formatCount(connections.max)}`
  return [serverId, painted, version, found, count, formatBytes(bytes), open, latency]
}

function describeState(server: ServerStatus): string {
  if (server.failure?.code === 'HV_SERVER_UNUSABLE') return 'unusable'
  if (server.latencyMs === undefined) return 'down'
  if (server.content === undefined) return 'failed'
  return isHealthy(server) ? 'up' : 'incomplete'
}

function problemsOf({ serverId, content, failure }: ServerStatus): PlacedFailure[] {
  if (failure?.code === 'HV_SERVER_UNUSABLE') return [{ serverId, message: `${failure.what}. ${failure.hint}` }]
  if (content === undefined) return failure === undefined ? [] : [{ serverId, message: failure.what }]
  return content.shards.unfit.map(({ shardId, problems }) => ({
    serverId,
    shardId,
    message: `cannot be used as a shard: ${problems.join(', ')}`,
  }))
}

function describeMissing({ serverId, content }: ServerStatus): string[] {
  const missing = content?.shards.missing ?? []
  if (missing.length === 0) return []
  return [`${serverId}: missing shards ${formatShards(missing)}; to create them: npx pg-hypervault init`]
}
