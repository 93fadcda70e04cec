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
    .summary('make the catalog of a fleet, fill it, read its history')
    .description(
      'The catalog of a fleet: a database with the tables of Hypervault (schema hypervault) that say which servers there are and where each shard lives.',
    )
  addInitCommand(catalog, context)
  addImportCommand(catalog, context)
  addHistoryCommand(catalog, context)
}

function addInitCommand(catalog: Command, context: Context): void {
  catalog
    .command('init')
    .summary('make the tables, or bring them to the layout of this release')
    .description('Makes the tables of the catalog, or brings them to the layout of this release. Safe to repeat.')
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault catalog init --catalog postgres://admin@10.0.0.1/fleet

With --json: { "layouts" }, how many layouts were added; 0 when there was nothing to do.`,
    )
    .option('--dry-run', 'count the layouts that would be added, and change nothing')
    .action(({ dryRun = false }: DryRunOption) =>
      context.withCatalog(async (it) => printInit(await it.ensure({ isDryRun: dryRun }), dryRun, context)),
    )
}

function addImportCommand(catalog: Command, context: Context): void {
  catalog
    .command('import')
    .summary('register the servers of connections, with their shards')
    .description(
      'Registers the servers of the configured connections in the catalog, with the shards that live there, all or none. Passwords stay where they are: the catalog holds the name of a variable or a file.',
    )
    .option(
      '--password <server=place>',
      'where the password of a server is found, env:NAME or file:/path; may be repeated (default: env:HYPERVAULT_PASSWORD_ and the name of the server)',
      collect,
      [],
    )
    .option('--dry-run', 'check all of it, and register nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault catalog import --catalog postgres://admin@10.0.0.1/fleet
  npx pg-hypervault catalog import --password s1=env:PG_S1 --password s2=file:/run/secrets/s2

The connections come from the configuration file, HYPERVAULT_CONNECTIONS or --connections. From then on put
{ "catalog": "postgres://…" } in the place of connections. With --json: { "servers": [{ "serverId", "shards", "password" }] }.`,
    )
    .action((options: ImportOptions) => runImport(options, context))
}

function addHistoryCommand(catalog: Command, context: Context): void {
  catalog
    .command('history')
    .summary('print who changed what')
    .description('Prints the last changes of servers and of the places of shards, the newest first.')
    .option('--limit <count>', 'how many', '20')
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
  output.talk(layouts === 0 ? 'The catalog is there, and up to date.' : 'The catalog is made.')
}

async function runImport({ password: passwords, dryRun: isDryRun }: ImportOptions, context: Context): Promise<void> {
  const { options, topology } = await context.loadConnections()
  const references = { ...defaultReferences(topology.servers), ...parseReferences(passwords, topology.servers) }
  await context.withFleet((fleet) =>
    fleet.importConnections(options.connections, { passwords: references, spread: options.spread, isDryRun }),
  )
  await printImported(topology.servers, references, context)
  if (isDryRun === true) context.output.talk('They can be registered. Nothing was changed.')
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
        `--password must name one of ${servers.map((each) => each.serverId).join(', ')}, as in s1=env:NAME`,
      )
    }),
  )
}

async function runHistory(limit: number, context: Context): Promise<void> {
  const changes = await context.withFleet((fleet) => fleet.history({ limit }))
  const { output, isJson } = context
  if (isJson) return output.json({ changes })
  if (changes.length === 0) return output.talk('Nothing was changed yet: the catalog has no servers.')
  const rows = changes.map(({ epoch, at, actor, action, details }) =>
    [String(epoch), at.toISOString(), actor, action, JSON.stringify(details)].map(oneLine),
  )
  await output.data(formatTable(historyColumns, rows))
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}
