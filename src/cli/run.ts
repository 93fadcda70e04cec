/*
 * The command line: a thin layer over the public surface, one file per command.
 *
 * - `output.ts` owns both streams. Data goes to standard output and nothing else does; all talk goes to standard error,
 *   and every line of it passes the redactor, so that no password gets out whatever message it hides in.
 * - `config.ts` is the one place that knows where options come from: flags, then environment, then a file.
 * - `failure.ts` turns whatever was thrown into one line that says what, one that says what to do, and an exit code.
 * - Exit codes: 0 done, 1 failed, 2 the call or the configuration is wrong and nothing was done, 4
 *   some of it failed and the rest is done.
 * - With `--json` standard output carries one document, or one per line for `key` and `get`, whose answers are a
 *   stream. A failure is one more document, `{ "error": … }`, unless its command has already said it in its result.
 * - A reader that goes away (`| head`) is no failure: what is printed from then on is dropped, and commands that only
 *   print stop early. Nothing calls `process.exit()`, so whatever was opened is closed.
 */

import { Context, type Surroundings } from './context.ts'
import { createProgram } from './program.ts'
import { isHelp, toFailure } from './terminal/failure.ts'

/** Runs one command line and resolves to the exit code. Never rejects. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const context = new Context(surroundings)
  try {
    await createProgram(context).parseAsync(args, { from: 'user' })
    await context.output.assertWritten()
    return context.exitCode
  } catch (error) {
    if (isHelp(error)) return 0
    const failure = toFailure(error)
    await context.output.fail(failure, args.includes('--json'))
    return failure.exitCode
  }
}
