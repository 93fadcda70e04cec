import type { ClientConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withServerSession } from '../../src/server/server-session.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { poolOf, rejectionOf, withClient } from './servers.ts'

const odd = ['', '\\N', '\\', 'a\tb', 'a\nb\n', '\r\b\f\v', '\\t', "it's", 'é😀', 'x'.repeat(100_000)]

let databases: TestDatabases
let config: ClientConfig

beforeAll(async () => {
  databases = await createDatabases(1)
  config = databases.connections[0] as ClientConfig
  await withClient(config, async (client) => {
    await client.query('create table empty (a text); create table odd (a int, b text); create table one (a int)')
    await client.query('insert into odd select * from unnest($1::int[], $2::text[])', [odd.map((_, a) => a), odd])
    await client.query('insert into odd values (null, null); insert into one values (7)')
  })
})
afterAll(() => databases.drop())

const copyAll = ['odd', 'empty', 'one'].map((table) => `copy ${table} to stdout`)

describe('copying tables out', () => {
  it('gives the rows of each table in the order asked for, whatever is in them', async () => {
    await using pool = poolOf(config)
    const tables = await withServerSession(pool, { signal: undefined }, (session) => session.copyOut(copyAll))
    expect(tables).toEqual([[...odd.map((text, index) => [String(index), text]), [null, null]], [], [['7']]])
  })

  it('rejects when one is not there, and the session is as good as before', async () => {
    await using pool = poolOf(config)
    await withServerSession(pool, { signal: undefined }, async (session) => {
      const error = await rejectionOf(session.copyOut(['copy one to stdout', 'copy nobody to stdout', ...copyAll]))
      expect(error).toMatchObject({ code: 'HV_STATEMENT_FAILED', details: { sqlstate: '42P01' } })
      expect(await session.copyOut(['copy one to stdout'])).toEqual([[['7']]])
      expect(await session.read({ text: 'select 1' })).toEqual([['1']])
    })
  })
})
