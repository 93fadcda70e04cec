import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { readVersion } from '../../src/cli/version.ts'
import { EmbeddedServer } from '../../src/testing.ts'
import type { Programs } from '../workload.ts'

const GIGABYTE = 1024 ** 3

/** Settings of a server on which its speed depends, and its version. */
const SETTINGS = [
  'server_version',
  'shared_buffers',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_level',
  'max_wal_size',
  'autovacuum',
  'jit',
]

/** Where a run took place. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly os: string
}

/** What took part in a run, by name. */
export type Versions = Readonly<Record<string, string>>

/** What a server is made of. */
export interface ServerFacts {
  readonly version: string
  /** Settings on which its speed depends. */
  readonly settings: Readonly<Record<string, string>>
}

/** Reads what there is to know of this machine. */
export function readMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / GIGABYTE),
    os: `${platform()} ${release()}`,
  }
}

/** Reads the versions of everything that takes part. */
export function readVersions({ psql, pgbench }: Programs): Versions {
  return {
    'Node.js': process.version,
    hypervault: readVersion(),
    pg: readPackageVersion('pg'),
    'postgres.js': readPackageVersion('postgres'),
    'pg-copy-streams': readPackageVersion('pg-copy-streams'),
    ...(psql && { psql: psql.version }),
    ...(pgbench && { pgbench: pgbench.version }),
  }
}

/** Starts a server like those of the bench, and asks it. */
export async function readServerFacts(signal: AbortSignal): Promise<ServerFacts> {
  await using server = await EmbeddedServer.start({ signal })
  const client = new Client(server.connection)
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string; value: string }>(
      'select name, current_setting(name) as value from unnest($1::text[]) as wanted (name)',
      [SETTINGS],
    )
    const settings = Object.fromEntries(rows.map(({ name, value }): [string, string] => [name, value]))
    const { server_version: version = 'unknown', ...others } = settings
    return { version, settings: others }
  } finally {
    await client.end()
  }
}

/** The package.json above the main file of a package; not every package exports it. */
function readPackageVersion(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name))
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    const found = tryReadManifest(folder)
    if (found?.name === name && found.version !== undefined) return found.version
  }
  return 'unknown'
}

function tryReadManifest(folder: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string; version?: string }
  } catch {
    return undefined
  }
}
