import { Command, type ParseOptionsResult } from 'commander'

/**
 * A command that does something itself and has subcommands, such as `move`. What follows the name of a subcommand belongs to
 * that: commander gives it to the command above first, which would take the options that both have.
 */
export class FamilyCommand extends Command {
  /** Makes one, with the settings of the program, and adds it. */
  static addTo(program: Command, name: string): FamilyCommand {
    const family = new FamilyCommand(name).copyInheritedSettings(program).enablePositionalOptions()
    program.addCommand(family)
    return family
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    const [, next] = this.parent?.args ?? []
    const isSubcommand = this.commands.some((command) => command.name() === next)
    return isSubcommand ? { operands: [], unknown: args } : super.parseOptions(args)
  }
}
