import type { Ground } from '../ground/ground.ts'
import { runProgram, type Program } from './run-program.ts'

/** Name of `psql \copy` as a contender: what the server can do with rows that are in a file already. */
export const PSQL_COPY = 'psql \\copy'

/** Copies a file into a table, and gives the milliseconds that psql measured for that alone. */
export async function copyByPsql(
  program: Program,
  ground: Ground,
  { table, file }: { table: string; file: string },
  signal: AbortSignal,
): Promise<number> {
  const copy = `\\copy ${table} (type, body) from '${file}'`
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', '\\timing on', '-c', copy]
  return parseTiming(await runProgram(program, args, ground.connection, signal))
}

/** Reads what `\timing` prints. Throws for anything else. */
export function parseTiming(text: string): number {
  const [, ms] = /^Time: ([\d.]+) ms/m.exec(text) ?? []
  if (ms === undefined) throw new Error(`psql printed something else:\n${text}`)
  return Number(ms)
}
