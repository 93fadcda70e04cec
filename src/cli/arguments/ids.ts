import { createInterface } from 'node:readline'
import { Key } from '../../key/key.ts'
import type { Context } from '../context.ts'
import { checkUsage } from './usage-error.ts'

/** Reads a key of the command line. */
export function parseKey(text: string, epochMs: number): Key {
  return checkUsage(() => new Key(text, epochMs))
}

/** The ids given as arguments, or those on standard input, one per line. Ends early when nobody reads the answers. */
export async function* readIds(args: readonly string[], { stdin, output }: Context): AsyncGenerator<string> {
  if (args.length > 0) return yield* args
  if (stdin.isTTY) output.talk('Type ids, one per line; end with Ctrl-D.')
  const lines = createInterface({ input: stdin, crlfDelay: Infinity })
  // Destroyed, not only closed: a writer that goes on would keep this Node.js alive.
  output.closed.addEventListener('abort', () => stdin.destroy(), { once: true })
  for await (const line of lines) {
    if (output.closed.aborted) return
    if (line.trim() !== '') yield line.trim()
  }
}
