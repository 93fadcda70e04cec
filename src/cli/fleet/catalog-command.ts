import type { Command } from 'commander'
import type { SecretReference } from '../../catalog/secret.ts'
import type { Server } from '../../topology/connection-entry.ts'
import { parseWhole } from '../arguments/numbers.ts'
import { UsageError } from '../arguments/usage-error.ts'
import { defaultPasswordVariable, parseSecretOption } from '../config/secret-option.ts'
import { secretsOfUrl } from '../config/secrets.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import type { DryRunOption } from '../terminal/confirm.ts'
import { oneLine } from '../terminal/failure.ts'
import { formatTable, type Column } from '../terminal/table.ts'

/** Options of `catalog import`, as commander gives them. */
interface ImportOptions extends DryRunOption {
  readonly password: string[]
}

const historyColumns: readonly Column[] = [
  { head: 'epoch', align: 'right' },
  { head: 'at', align: 'left' },
  { head: 'who', align: 'left' },
  { head: 'what', align: 'left' },
  { head: 'details', align: 'left' },
]

/** `npx pg-hypervault catalog`: the database that says where each shard lives. */
export function addCatalogCommand(program: Command, context: Context): void {
  const catalog = program
    .command('catalog')
    .summary('create the catalog of a fleet, fill it, read its history')
    .description(
      'Manages the catalog of a fleet: the database whose tables (schema hypervault) record the servers and where each shard lives.',
    )
  addInitCommand(catalog, context)
  addImportCommand(catalog, context)
  addHistoryCommand(catalog, context)
}

function addInitCommand(catalog: Command, context: Context): void {
  catalog
    .command('init')
    .summary('create the tables, or update them to the layout of this release')
    .description('Creates the tables of the catalog, or updates them to the layout of this release. Safe to repeat.')
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault catalog init --catalog postgres://admin@10.0.0.1/fleet

With --json: { "layouts" }, the number of layouts added; 0 if there was nothing to do.`,
    )
    .option('--dry-run', 'count the layouts that would be added, and change nothing')
    .action(({ dryRun = false }: DryRunOption) =>
      context.withCatalog(async (it) => printInit(await it.ensure({ isDryRun: dryRun }), dryRun, context)),
    )
}

function addImportCommand(catalog: Command, context: Context): void {
  catalog
    .command('import')
    .summary('register the configured servers with their shards')
    .description(
      'Registers the servers of the configured connections in the catalog, with their shards: all of them or none. The catalog stores no passwords, only the name of the variable or file that holds each one.',
    )
    .option(
      '--password <server=place>',
      'where to read the password of a server: env:NAME or file:/path; repeatable (default: env:HYPERVAULT_PASSWORD_ and the name of the server)',
      collect,
      [],
    )
    .option('--dry-run', 'check everything, and register nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault catalog import --catalog postgres://admin@10.0.0.1/fleet
  npx pg-hypervault catalog import --password s1=env:PG_S1 --password s2=file:/run/secrets/s2

The connections come from the configuration file, HYPERVAULT_CONNECTIONS or --connections. Afterwards, replace connections in
the configuration by { "catalog": "postgres://…" }. With --json: { "servers": [{ "serverId", "shards", "password" }] }.`,
    )
    .action((options: ImportOptions) => runImport(options, context))
}

function addHistoryCommand(catalog: Command, context: Context): void {
  catalog
    .command('history')
    .summary('print who changed what')
    .description('Prints the latest changes to servers and to the placement of shards, newest first.')
    .option('--limit <count>', 'maximum number of changes', '20')
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault catalog history --limit 5

With --json: { "changes": [{ "epoch", "at", "actor", "action", "details" }] }.`,
    )
    .action(({ limit }: { limit: string }) => runHistory(parseWhole('--limit', limit), context))
}

async function printInit(layouts: number, isDryRun: boolean, { output, isJson }: Context): Promise<void> {
  if (isJson) return output.json({ layouts })
  if (isDryRun && layouts > 0) return output.talk(`${layouts} layouts would be added. Nothing was changed.`)
  output.talk(layouts === 0 ? 'The catalog exists and is up to date.' : 'The catalog was created.')
}

async function runImport({ password: passwords, dryRun: isDryRun }: ImportOptions, context: Context): Promise<void> {
  const { options, topology } = await context.loadConnections()
  const references = { ...defaultReferences(topology.servers), ...parseReferences(passwords, topology.servers) }
  await context.withFleet((fleet) =>
    fleet.importConnections(options.connections, { passwords: references, spread: options.spread, isDryRun }),
  )
  await printImported(topology.servers, references, context)
  if (isDryRun === true) context.output.talk('These servers can be registered. Nothing was changed.')
}

async function printImported(
  servers: readonly Server[],
  references: Readonly<Record<string, SecretReference>>,
  { output, isJson }: Context,
): Promise<void> {
  const rows = servers.map(({ serverId, shardIds }) => ({
    serverId,
    shards: shardIds.length,
    password: references[serverId] ?? null,
  }))
  if (isJson) return output.json({ servers: rows })
  const heads = ['server', 'shards', 'password from'].map((head) => ({ head, align: 'left' as const }))
  const lines = rows.map(({ serverId, shards, password }) => [serverId, formatCount(shards), describePlace(password)])
  await output.data(formatTable(heads, lines))
}

function describePlace(reference: SecretReference | null): string {
  if (reference === null) return ''
  return 'env' in reference ? `variable ${reference.env}` : `file ${reference.file}`
}

/** For servers that have a password in their connection, or in its URL. */
function defaultReferences(servers: readonly Server[]): Record<string, SecretReference> {
  const withPassword = servers.filter(({ clientConfig: { password, connectionString } }) => {
    return password !== undefined || secretsOfUrl(connectionString).length > 0
  })
  return Object.fromEntries(withPassword.map(({ serverId }) => [serverId, { env: defaultPasswordVariable(serverId) }]))
}

function parseReferences(texts: readonly string[], servers: readonly Server[]): Record<string, SecretReference> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      const serverId = text.slice(0, Math.max(at, 0))
      if (servers.some((server) => server.serverId === serverId)) {
        return [serverId, parseSecretOption('--password', text.slice(at + 1))]
      }
      throw new UsageError(
        `--password must name one of the servers ${servers.map((each) => each.serverId).join(', ')}, as in s1=env:NAME`,
      )
    }),
  )
}

async function runHistory(limit: number, context: Context): Promise<void> {
  const changes = await context.withFleet((fleet) => fleet.history({ limit }))
  const { output, isJson } = context
  if (isJson) return output.json({ changes })
  if (changes.length === 0) return output.talk('There are no changes yet: the catalog has no servers.')
  const rows = changes.map(({ epoch, at, actor, action, details }) =>
    [String(epoch), at.toISOString(), actor, action, JSON.stringify(details)].map(oneLine),
  )
  await output.data(formatTable(historyColumns, rows))
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}
