import type { Command } from 'commander'
import { UsageError } from './arguments/usage-error.ts'

/**
 * Refuses what was given in front of a subcommand and belongs to the command above it: `npx pg-hypervault move --dry-run complete 5`
 * would be done, and not looked at. Options of the program itself are those of every command.
 */
export function assertNoneInherited(command: Command): void {
  for (let above = command.parent; above?.parent != null; above = above.parent) {
    const given = above.options.find((option) => above?.getOptionValueSource(option.attributeName()) === 'cli')
    if (given === undefined) continue
    const hint = `Add --help to npx pg-hypervault ${above.name()} ${command.name()} to see its options.`
    throw new UsageError(
      `${above.name()} ${command.name()} does not accept ${given.long ?? given.flags} before its name`,
      hint,
    )
  }
}
