import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'

/** Options of what changes a fleet, as commander gives them. */
export interface DryRunOption {
  readonly dryRun?: boolean
}

/** Options of what cannot be taken back. */
export interface YesOption {
  readonly yes?: boolean
}

/** Adds the option that changes nothing. */
export function addDryRunOption(command: Command, what = 'print what would be done, and change nothing'): Command {
  return command.option('--dry-run', what)
}

/** Adds the option that takes the place of an answer. */
export function addYesOption(command: Command): Command {
  return command.option('--yes', 'do not ask for confirmation; required without a terminal')
}

/**
 * Throws a {@link UsageError} when an answer will be needed and nobody can be asked: before anything is connected to.
 *
 * @param what what is to be done, as a sentence without its period
 */
export function assertCanConfirm(what: string, { yes }: YesOption, { stdin, output }: Context): void {
  if (yes === true || (stdin.isTTY && output.stderr.isTTY === true)) return
  throw new UsageError(
    `${what}, and there is no terminal to ask for confirmation`,
    'Run it with --dry-run first, then add --yes.',
  )
}

/** Asks at the terminal, unless there is a `--yes`. False when the answer is not yes: then nothing is to be done. */
export async function confirm(what: string, options: YesOption, context: Context): Promise<boolean> {
  assertCanConfirm(what, options, context)
  if (options.yes === true || (await ask(`${what}. Continue? [y/N] `, context))) return true
  context.exitCode = 1
  context.output.problem('not confirmed: nothing was changed')
  return false
}

async function ask(question: string, { stdin, output }: Context): Promise<boolean> {
  const asking = createInterface({ input: stdin, output: output.stderr })
  try {
    // Bound: a person answers. Ctrl-C and Ctrl-D close the question without an answer, and reject it, too.
    const closed = once(asking, 'close').then(() => '')
    const answer = await Promise.race([asking.question(question).catch(() => ''), closed])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    asking.close()
  }
}
