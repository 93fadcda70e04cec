import { afterAll, beforeAll, expect, it } from 'vitest'
import { carryRows, type CopyGate } from '../../src/fleet/move/copy-rows.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { settingsOf } from '../support/fleet.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let links: [FleetLink, FleetLink]

beforeAll(async () => {
  databases = await createDatabases(2)
  links = databases.connections.map(
    (each, index) => new FleetLink({ serverId: `s${index + 1}`, settings: settingsOf(each) }, new SecretPlaces()),
  ) as typeof links
})

afterAll(async () => {
  await Promise.all(links.map((link) => link[Symbol.asyncDispose]()))
  await databases.drop()
})

/** Carries what a query gives into a table of the other database. */
async function carry(query: string, gate: Partial<CopyGate> = {}): Promise<string | null | undefined> {
  const [left, right] = links
  return await left.withOwnSession({ name: 'from', canReplicate: true }, (from) =>
    right.withOwnSession({ name: 'to', canReplicate: false }, async (to) => {
      await to.session.execute(['create temporary table rows (id int primary key, body text)'])
      const statements = { out: `copy (${query}) to stdout`, in: 'copy rows from stdin' }
      await carryRows(from, to, statements, { maxBytes: 1_000_000, pass: () => Promise.resolve(), ...gate })
      const [row] = await to.session.read({ text: 'select md5(string_agg(rows::text, $$;$$ order by id)) from rows' })
      return row?.[0]
    }),
  )
}

async function digest(query: string): Promise<string | null | undefined> {
  const text = `select md5(string_agg(rows::text, ';' order by id)) from (${query}) as rows (id, body)`
  const [row] = await links[0].withSession((session) => session.read({ text }))
  return row?.[0]
}

/** Rows far larger than any buffer. */
const large = "select n, repeat(E'a\\n\\t\\\\é', 500000) from generate_series(1, 2) as n"

it('rows of any size pass in small parts, and arrive as they were', async () => {
  let largest = 0
  let bytes = 0
  const pass = (part: Buffer): Promise<void> => {
    largest = Math.max(largest, part.length)
    bytes += part.length
    return Promise.resolve()
  }
  expect(await carry(large, { pass })).toBe(await digest(large))
  expect(bytes).toBeGreaterThan(8_000_000)
  expect(largest).toBeLessThanOrEqual(512 * 1024)
})

it('no part is larger than the gate lets through', async () => {
  const sizes = new Set<number>()
  const few = "select n, 'x' from generate_series(1, 10000) as n"
  const pass = (part: Buffer): Promise<void> => Promise.resolve(void sizes.add(part.length))
  expect(await carry(few, { maxBytes: 777, pass })).toBe(await digest(few))
  expect(Math.max(...sizes)).toBe(777)
})

it('what fails is told of the side that failed', async () => {
  const atSource = carry('select n, (1 / (20000 - n))::text from generate_series(1, 30000) as n')
  await expect(atSource).rejects.toMatchObject({ details: { serverId: 's1', sqlstate: '22012' } })
  const atTarget = carry("select n % 20000, 'x' from generate_series(1, 2000000) as n")
  await expect(atTarget).rejects.toMatchObject({ details: { serverId: 's2', sqlstate: '23505' } })
  const atGate = carry(large, { pass: () => Promise.reject(new Error('enough')) })
  await expect(atGate).rejects.toThrow('enough')
})

it.each([0, 1])('a side that is cut off in the middle is told, and the other one does not stay', async (victim) => {
  let isCut = false
  const pass = async (): Promise<void> => {
    if (isCut) return
    isCut = true
    const name = victim === 0 ? 'from' : 'to'
    const text = `select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = '${name}' and datname = current_database()`
    const rows = await links[victim]?.withSession((session) => session.read({ text }))
    expect(rows).toEqual([['t']])
  }
  const stay = "select from pg_stat_activity where application_name in ('from', 'to') and datname = current_database()"
  const error = { code: 'HV_CONNECTION_LOST', details: { serverId: `s${victim + 1}` } }
  await expect(carry(large, { pass })).rejects.toMatchObject(error)
  await until('no session is left', async () => {
    const found = await Promise.all(links.map((link) => link.withSession((session) => session.read({ text: stay }))))
    return found.flat().length === 0
  })
})
