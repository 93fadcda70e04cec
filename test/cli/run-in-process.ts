import { EventEmitter } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { run } from '../../src/cli/run.ts'
import type { CliOptions, CliResult } from './run-cli.ts'

/**
 * Runs a command in this process, which is sooner there than one of its own: for calls of which nothing is expected but
 * an answer. Files are relative to the folder of this process, whatever `cwd` says.
 */
export async function runInProcess(
  args: readonly string[],
  { cwd, env = {}, input = '' }: CliOptions,
): Promise<CliResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const stdin = Readable.from([Buffer.from(input)]) as unknown as NodeJS.ReadStream
  const surroundings = Object.assign(new EventEmitter(), { env: { ...env }, stdin, stdout, stderr, cwd: () => cwd })
  const said = Promise.all([text(stdout), text(stderr)])
  const exitCode = await run(args, surroundings)
  stdout.end()
  stderr.end()
  const [out, err] = await said
  return { exitCode, stdout: out, stderr: err }
}
