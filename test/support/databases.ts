import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'

/** Fresh, empty databases on the shared servers, one on each; more than there are servers go round. */
export interface TestDatabases extends AsyncDisposable {
  /** What `pg` needs to connect, one entry per database. */
  readonly connections: ServerConnection[]
  /** Drops the databases, also those that are still connected to. Safe twice. */
  drop(): Promise<void>
}

/** Creates fresh databases without any extension; the last one as `lastOptions` say. */
export async function createDatabases(count = 2, lastOptions = ''): Promise<TestDatabases> {
  const servers = inject('servers')
  const connections = Array.from({ length: count }, (_, index) => {
    const server = servers[index % servers.length] as ServerConnection
    return { ...server, database: `hv_test_${randomBytes(6).toString('hex')}` }
  })
  const create = ({ database }: ServerConnection, index: number): string =>
    `create database ${database} ${index === count - 1 ? lastOptions : ''}`
  await Promise.all(connections.map((each, index) => runOnServer(each, create(each, index))))
  const drop = async (): Promise<void> => {
    await Promise.all(
      connections.map((each) => runOnServer(each, `drop database if exists ${each.database} with (force)`)),
    )
  }
  return { connections, drop, [Symbol.asyncDispose]: drop }
}

async function runOnServer(connection: ServerConnection, sql: string): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
