import { describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases } from '../support/databases.ts'
import { startFreezingProxy } from '../support/freezing-proxy.ts'
import { entriesOf, rejectionOf } from './servers.ts'

type Call = (db: Datastore, signal?: AbortSignal) => Promise<unknown>

/** Each with a statement of its own, at which the server falls silent. */
const calls: [name: string, statement: string, call: Call][] = [
  ['verify', 'pg_class', (db, signal) => db.verify({ ...(signal && { signal }) })],
  ['createIndex', 'create index', (db, signal) => db.createIndex({ kind: 1, on: 'a' }, { ...(signal && { signal }) })],
]

/** A datastore of one server, that falls silent when it is sent this text. */
async function withSilence<T>(statement: string, work: (db: Datastore) => Promise<T>): Promise<T> {
  await using databases = await createDatabases(1)
  const [connection] = databases.connections
  await provision(entriesOf(databases, '1-4'))
  await using proxy = await startFreezingProxy(connection!)
  const connections = entriesOf({ connections: [{ ...connection, host: '127.0.0.1', port: proxy.port }] }, '1-4')
  const db = new Datastore({ connections })
  proxy.freezeAnswerTo(statement, 'before', 'all')
  return await work(db)
}

// The statements themselves may take an hour.
describe.concurrent('work with long statements on a server that falls silent', { timeout: 40_000 }, () => {
  it.each(calls)('%s gives the server up', async (_, statement, call) => {
    await withSilence(statement, async (db) => {
      const end = await call(db).catch((error: unknown) => error)
      expect(JSON.stringify(end)).toContain('server s1 did not answer a statement within 15000 ms')
    })
  })

  it.each(calls)('%s ends with its signal', async (_, statement, call) => {
    await withSilence(statement, async (db) => {
      expect(await rejectionOf(call(db, AbortSignal.timeout(500)))).toMatchObject({ name: 'TimeoutError' })
    })
  })
})
