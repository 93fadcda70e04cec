import type { Command } from 'commander'
import { assertServerId } from '../../catalog/fleet-changes.ts'
import type { FleetServer } from '../../catalog/fleet-record.ts'
import { SecretPlaces } from '../../catalog/secret-places.ts'
import { ServerAccess } from '../../catalog/server-access.ts'
import { parseServerSettings, type ServerSettings } from '../../catalog/server-settings.ts'
import { ServerPool } from '../../pool/server-pool.ts'
import { withServerSession } from '../../server/server-session.ts'
import { formatShardRanges, parseShardRange, shardsOf } from '../../topology/shard-range.ts'
import { parseSecretOption } from '../config/secret-option.ts'
import type { Context } from '../context.ts'
import { tellOutsideSpread } from '../shards/spread-note.ts'
import { formatCount } from '../terminal/amounts.ts'
import { addDryRunOption, addYesOption, confirm, type DryRunOption, type YesOption } from '../terminal/confirm.ts'
import { oneLine } from '../terminal/failure.ts'
import { formatTable, type Column } from '../terminal/table.ts'

import { parseWhole } from '../arguments/numbers.ts'
import { checkUsage, UsageError } from '../arguments/usage-error.ts'

/** Options that say how a server is reached, as commander gives them. */
interface SettingsOptions {
  readonly host?: string
  readonly port?: string
  readonly database?: string
  readonly user?: string
  readonly password?: string
  readonly ssl?: string | boolean
}

/** Options of `server add`. */
interface AddOptions extends SettingsOptions, DryRunOption {
  readonly shards?: string
  readonly check: boolean
}

/** Options of `server set`. */
interface SetOptions extends SettingsOptions, DryRunOption {
  readonly unset?: string
}

/** Options of `server drain`, `activate` and `remove`. */
type StateOptions = DryRunOption & YesOption

const columns: readonly Column[] = [
  { head: 'server', align: 'left' },
  { head: 'state', align: 'left' },
  { head: 'shards', align: 'right' },
  { head: 'range', align: 'left' },
  { head: 'where', align: 'left' },
]

const CONNECT_TIMEOUT_MS = 5_000

/** `npx pg-hypervault server`: the servers of a fleet. */
export function addServerCommand(program: Command, context: Context): void {
  const server = program
    .command('server')
    .summary('list, add, drain and remove servers of a fleet')
    .description('Manages the servers in the catalog of a fleet.')
  addListCommand(server, context)
  addAddCommand(server, context)
  addSetCommand(server, context)
  addStateCommands(server, context)
}

function addListCommand(server: Command, context: Context): void {
  server
    .command('list')
    .summary('print the servers and their shards')
    .description(
      'Prints the servers in the catalog and the shards on each. Queries only the catalog; to query the servers, use status.',
    )
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault server list --json | jq '.servers[] | {serverId, shards: (.shardIds | length)}'

With --json: { "epoch", "servers": [{ "serverId", "state", "shardIds", "settings",
"ignored", "problem" }] }.`,
    )
    .action(() => runList(context))
}

function addSettingsOptions(command: Command): Command {
  return command
    .option('--host <host>', 'name or address')
    .option('--port <port>', 'port (default: 5432)')
    .option('--database <name>', 'database')
    .option('--user <name>', 'role')
    .option('--password <place>', 'where to read the password: env:NAME or file:/path')
    .option('--ssl [ca-file]', 'use TLS; the file holds the certificate of the authority')
}

function addAddCommand(server: Command, context: Context): void {
  const command = server
    .command('add')
    .summary('register a server')
    .description(
      'Registers a server, after connecting to it. To give it shards, run npx pg-hypervault move or npx pg-hypervault rebalance. With --shards, it gets shards that live on no server yet; npx pg-hypervault init creates them.',
    )
    .argument('<server>', 'its name, such as s3')
  addSettingsOptions(command)
    .option('--shards <range>', "shards that it holds or will hold, such as '17-33'; the end is not included")
    .option('--no-check', 'register it without connecting')
    .option('--dry-run', 'check everything, and register nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault server add s3 --host 10.0.0.3 --database app --user app --password env:PG_S3
  npx pg-hypervault server add s1 --host 10.0.0.1 --database app --user app --password file:/run/secrets/s1 --shards 1-9

With --json: { "serverId", "version", "shardIds" }.`,
    )
    .action((serverId: string, options: AddOptions) => runAdd(serverId, options, context))
}

function addSetCommand(server: Command, context: Context): void {
  const command = server
    .command('set')
    .summary('change the connection settings of a server')
    .description(
      'Changes the given settings of a server and keeps the others. Applications reconnect to it at once. Also repairs a server whose settings in the catalog are invalid.',
    )
    .argument('<server>', 'its name')
  addSettingsOptions(command)
    .option('--unset <names>', 'settings to remove, separated by commas, such as ssl,user')
    .option('--dry-run', 'check everything, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault server set s3 --host 10.0.0.4
  npx pg-hypervault server set s3 --password file:/run/secrets/s3 --unset ssl

With --json: { "serverId", "settings", "unset" }.`,
    )
    .action((serverId: string, options: SetOptions) => runSet(serverId, options, context))
}

function addStateCommands(server: Command, context: Context): void {
  const add = (name: 'drain' | 'activate' | 'remove', summary: string, description: string): void => {
    const command = server
      .command(name)
      .summary(summary)
      .description(description)
      .argument('<server>', 'its name')
      .addHelpText('after', '\nWith --json: { "serverId" }.')
      .action((serverId: string, options: StateOptions) => runState(name, serverId, options, context))
    addDryRunOption(command)
    if (name === 'remove') addYesOption(command)
  }
  add(
    'drain',
    'give a server no more shards',
    'Marks a server as draining: it gets no more shards, and rebalance empties it.',
  )
  add('activate', 'let a drained server get shards again', 'Reverses drain: the server can get shards again.')
  add('remove', 'remove an empty server', 'Removes a server that holds no shards from the catalog.')
}

async function runList(context: Context): Promise<void> {
  const fleet = await context.withFleet((it) => it.readFleet())
  if (context.isJson) return context.output.json(fleet)
  if (fleet.servers.length === 0)
    return context.output.talk('The catalog has no servers yet: npx pg-hypervault server add')
  await context.output.data(formatTable(columns, fleet.servers.map(toRow)))
}

function toRow({ serverId, state, shardIds, settings, problem }: FleetServer): string[] {
  const { host = 'localhost', port = 5432, database = '' } = settings
  const where = problem === undefined ? `${host}:${port}/${database}` : oneLine(`unusable: ${problem}`)
  return [serverId, state, formatCount(shardIds.length), formatShardRanges(shardIds), where]
}

async function runAdd(serverId: string, options: AddOptions, context: Context): Promise<void> {
  checkUsage(() => assertServerId(serverId))
  const settings = readSettings(options)
  const shardIds = checkUsage(() =>
    options.shards === undefined ? [] : shardsOf(parseShardRange(options.shards, '--shards')),
  )
  const { version, spread, all } = await context.withFleet(async (fleet) => {
    const answered = options.check ? await readVersion(serverId, settings, context) : null
    await fleet.addServer(serverId, settings, { shardIds, isDryRun: options.dryRun })
    const { spread, servers } = await fleet.readFleet()
    return { version: answered, spread, all: servers.flatMap((server) => server.shardIds) }
  })
  if (context.isJson) return context.output.json({ serverId, version, shardIds })
  const done = options.dryRun === true ? 'can be registered; nothing was changed' : 'is registered'
  context.output.talk(`${serverId} ${done}${version === null ? '' : ` (PostgreSQL ${version})`}.`)
  tellOutsideSpread({ spread, shardIds: all }, context)
}

async function runSet(serverId: string, options: SetOptions, context: Context): Promise<void> {
  const settings = readSettings(options)
  const unset = options.unset?.split(',').map((name) => name.trim()) ?? []
  if (Object.keys(settings).length + unset.length === 0)
    throw new UsageError('no setting was given: add --host, --port …')
  await context.withFleet((fleet) => fleet.setServer(serverId, settings, { unset, isDryRun: options.dryRun }))
  if (context.isJson) return context.output.json({ serverId, settings, unset })
  context.output.talk(`${serverId} ${options.dryRun === true ? 'can be changed; nothing was changed' : 'was changed'}.`)
}

function readSettings({ host, port, database, user, password, ssl }: SettingsOptions): ServerSettings {
  const given = {
    host,
    port: port === undefined ? undefined : parseWhole('--port', port),
    database,
    user,
    password: password === undefined ? undefined : parseSecretOption('--password', password),
    ssl: typeof ssl === 'string' ? { ca: { file: ssl } } : ssl,
  }
  return checkUsage(() => parseServerSettings(given, 'the server'))
}

/** Connects once. What fails is told before anything is registered. */
async function readVersion(serverId: string, settings: ServerSettings, context: Context): Promise<string> {
  const places = new SecretPlaces((await context.loadCatalog()).options.secrets)
  const pool = new ServerPool({
    serverId,
    clientConfig: new ServerAccess({ serverId, settings }, places).clientConfig,
    max: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    blockTimeoutMs: CONNECT_TIMEOUT_MS + 1_000,
  })
  try {
    const text = "select split_part(current_setting('server_version'), ' ', 1)"
    const [row] = await withServerSession(pool, { signal: undefined }, (session) => session.read({ text }))
    return row?.[0] ?? ''
  } finally {
    await pool.close({ timeoutMs: 0 })
  }
}

async function runState(
  verb: 'drain' | 'activate' | 'remove',
  serverId: string,
  options: StateOptions,
  context: Context,
): Promise<void> {
  const { output, isJson } = context
  const isDryRun = options.dryRun === true
  const removal = `Server ${serverId} is removed from the catalog, together with its settings`
  if (verb === 'remove' && !isDryRun && !(await confirm(removal, options, context))) return
  const shards = await context.withFleet(async (fleet) => {
    if (verb === 'drain') await fleet.drainServer(serverId, { isDryRun })
    else if (verb === 'activate') await fleet.activateServer(serverId, { isDryRun })
    else await fleet.removeServer(serverId, { isDryRun })
    const { servers } = await fleet.readFleet()
    return servers.find((server) => server.serverId === serverId)?.shardIds.length ?? 0
  })
  if (isJson) return output.json({ serverId })
  if (isDryRun) return output.talk(`npx pg-hypervault server ${verb} ${serverId} is possible. Nothing was changed.`)
  const next = shards > 0 ? ` It still holds ${formatCount(shards)} shards: npx pg-hypervault rebalance --plan` : ''
  const done = { drain: `${serverId} gets no more shards.${next}`, activate: `${serverId} can get shards again.` }
  output.talk(verb === 'remove' ? `${serverId} was removed from the catalog.` : done[verb])
}
