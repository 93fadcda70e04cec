import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeHstore } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import { CITY, type Ground } from '../ground/ground.ts'
import { keyOfRow } from '../ground/rows.ts'
import { p50, rate } from '../measure/metric.ts'
import type { Reading } from '../measure/rounds.ts'

import { runProgram, type Program } from './run-program.ts'

/** Name of `pgbench -M prepared` as a contender: what the server can do with one statement for each call. */
export const PGBENCH = 'pgbench -M prepared'

/** One script for each shard, because a table cannot be a parameter. */
export class PgbenchScripts implements AsyncDisposable {
  readonly #folder: string
  readonly #files: readonly string[]

  private constructor(folder: string, files: readonly string[]) {
    this.#folder = folder
    this.#files = files
  }

  /** Writes the scripts into a folder of their own. */
  static async write(ground: Ground, scriptOf: (shardId: number) => string): Promise<PgbenchScripts> {
    const folder = await mkdtemp(join(tmpdir(), 'hypervault-bench-'))
    const files = ground.shardIds.map((shardId) => join(folder, `${shardSchema(shardId)}.sql`))
    for (const [index, shardId] of ground.shardIds.entries()) await writeFile(files[index] ?? '', scriptOf(shardId))
    return new PgbenchScripts(folder, files)
  }

  /** Runs the scripts by so many clients; pgbench counts in whole seconds. */
  async measure(program: Program, ground: Ground, clients: number, signal: AbortSignal): Promise<Reading> {
    const scripts = this.#files.flatMap((file) => ['-f', file])
    const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '1', '-T', '1', ...scripts]
    const { tps, latencyMs } = parsePgbench(await runProgram(program, args, ground.connection, signal))
    return new Map(
      clients === 1
        ? [
            [rate, tps],
            [p50, latencyMs],
          ]
        : [[rate, tps]],
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }
}

/** Reads one row of a shard that was filled. */
export function getScript(shardId: number, rowsPerShard: number): string {
  const first = keyOfRow(shardId, 0)
  return [
    `\\set row random(0, ${rowsPerShard - 1})`,
    `\\set id ${first} + (:row / 1024) * ${2 ** 23} + :row % 1024`,
    `select id, type, body, updated from ${shardSchema(shardId)}.entities where id = :id;`,
  ].join('\n')
}

/** Stores one row. */
export function putScript(shardId: number, ground: Ground): string {
  const body = encodeHstore(ground.cityAt(0)).replaceAll("'", "''")
  return `insert into ${shardSchema(shardId)}.entities (type, body) values (${CITY}, '${body}') returning id;`
}

/** Reads what pgbench prints at its end. Throws for anything else. */
export function parsePgbench(text: string): { tps: number; latencyMs: number } {
  const [, latency] = /^latency average = ([\d.]+) ms$/m.exec(text) ?? []
  const [, tps] = /^tps = ([\d.]+) /m.exec(text) ?? []
  if (latency === undefined || tps === undefined) throw new Error(`pgbench printed something else:\n${text}`)
  return { tps: Number(tps), latencyMs: Number(latency) }
}
