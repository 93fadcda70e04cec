import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { addMigrateNewCommand } from './migrate-new.ts'
import { addMigratePlanCommand } from './migrate-plan.ts'
import { addMigrateStatusCommand } from './migrate-status.ts'
import { addMigrateUpCommand } from './migrate-up.ts'
import { addMigrateVerifyCommand } from './migrate-verify.ts'

/** `npx pg-hypervault migrate`: the tables of all shards, and how they change. */
export function addMigrateCommand(program: Command, context: Context): void {
  const migrate = program
    .command('migrate')
    .summary('plan and run migrations in all shards, and compare the definitions of the shards')
    .description(
      'Migrations are files such as 0001_name.sql in a folder, given by --dir or by "migrations" in the configuration. Each runs once in every shard, in order.',
    )
  addMigratePlanCommand(migrate, context)
  addMigrateUpCommand(migrate, context)
  addMigrateStatusCommand(migrate, context)
  addMigrateVerifyCommand(migrate, context)
  addMigrateNewCommand(migrate, context)
}
