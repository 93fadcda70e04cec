import { Command } from 'commander'
import type { CommonOptions, Context } from './context.ts'
import { addGetCommand } from './entity/get.ts'
import { addKeyCommand } from './entity/key.ts'
import { addPutCommand } from './entity/put.ts'
import { addCatalogCommand } from './fleet/catalog-command.ts'
import { addDoctorCommand } from './fleet/doctor-command.ts'
import { addMoveCommand } from './fleet/move-command.ts'
import { addRebalanceCommand } from './fleet/rebalance-command.ts'
import { addServerCommand } from './fleet/server-command.ts'
import { addSpreadCommand } from './fleet/spread-command.ts'
import { assertNoneInherited } from './inherited-options.ts'
import { addIndexCommand } from './migrate/index-command.ts'
import { addMigrateCommand } from './migrate/migrate-command.ts'
import { addAdoptCommand } from './shards/adopt.ts'
import { addDevCommand } from './shards/dev.ts'
import { addInitCommand } from './shards/init.ts'
import { addStatusCommand } from './shards/status.ts'
import { addExportCommand } from './transfer/export-command.ts'
import { addImportCommand } from './transfer/import-command.ts'
import { readVersion } from './version.ts'

const EXAMPLES = `
Examples:
  npx pg-hypervault dev --json > hypervault.config.json   two servers to try it out
  npx pg-hypervault init                                  shards on the configured servers
  npx pg-hypervault put 5 1 beep=boop
  npx pg-hypervault get 307821103844175873
  npx pg-hypervault status

Configuration: flags override the environment, which overrides the file.
  hypervault.config.ts, .mjs or .json in the working folder, or the file given
  by --config, holds the options of a Datastore, such as
    { "connections": [{ "shards": "1-9", "host": "10.0.0.1", "database": "x" }] }
    { "catalog": "postgres://…" }; the servers then come from a fleet's catalog
  HYPERVAULT_CONFIG        another configuration file
  HYPERVAULT_CONNECTIONS   connections as JSON
  HYPERVAULT_CATALOG       connection string of the catalog of a fleet
  HYPERVAULT_EPOCH_MS      zero of the keys' clock
  HYPERVAULT_DEBUG=1       print the stack of an error
  PGHOST, PGUSER, PGPASSWORD … supply settings that a connection omits;
  NO_COLOR is respected

Data goes to standard output, everything else to standard error. Exit code
0: done, 1: failed, 2: wrong call or configuration, 4: partly done, such as an
index that could not be created in some shards.`

/** All commands, with what they have in common. */
export function createProgram(context: Context): Command {
  const program = new Command('npx pg-hypervault')
    .description('Logical shards on several PostgreSQL servers.')
    .version(readVersion())
    .option('--json', 'print JSON: one document, or one per line for key and get')
    .option('--config <file>', 'configuration file (default: the one in the working folder)')
    .option('--connections <json>', 'connections as JSON; better keep passwords in a file or a variable')
    .option('--catalog <url>', 'connection string of the catalog of a fleet')
    .option('--epoch-ms <ms>', "zero of the keys' clock, in milliseconds since 1970")
    .addHelpText('after', EXAMPLES)
    .helpCommand(true)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void context.output.data(text.trimEnd()),
      outputError: () => undefined,
    })
    .exitOverride()
    .hook('preAction', (_, command) => {
      assertNoneInherited(command)
      context.apply(command.optsWithGlobals<CommonOptions>())
    })
  const commands = [
    addDevCommand,
    addInitCommand,
    addAdoptCommand,
    addStatusCommand,
    addIndexCommand,
    addImportCommand,
    addExportCommand,
    addMigrateCommand,
    addCatalogCommand,
    addServerCommand,
    addSpreadCommand,
    addMoveCommand,
    addRebalanceCommand,
    addDoctorCommand,
    addPutCommand,
    addGetCommand,
    addKeyCommand,
  ]
  commands.forEach((addCommand) => addCommand(program, context))
  return program
}
