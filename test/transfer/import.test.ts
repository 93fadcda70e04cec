import { createReadStream } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, Key, provision } from '../../src/index.ts'
import { importInput } from '../../src/transfer/import/import.ts'
import type { ImportOptions, ImportReport } from '../../src/transfer/import/import-options.ts'
import type { ImportEvent } from '../../src/transfer/import/import-state.ts'
import { OpenInput } from '../../src/transfer/input/open-input.ts'
import { entriesOf, rowsOf, withClient } from '../schema/servers.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

let databases: TestDatabases
let db: Datastore
let folder: string
let path: string

beforeAll(async () => {
  databases = await createDatabases(2)
  for (const connection of databases.connections) await provision([{ ...connection, shards: '1-4' }])
  db = new Datastore({ connections: entriesOf(databases, '1-4') })
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})
beforeEach(async () => {
  folder = makeTemporaryFolder('import')
  path = join(folder, 'rows.ndjson')
  await writeFile(path, text)
  await onServer('truncate shard0001.entities, shard0002.entities, shard0003.entities')
})
afterEach(() => rm(folder, { recursive: true }))

const lineOf = (n: number): string => `{"n":"${n}"}\n`
const text = Array.from({ length: 400 }, (_, n) => lineOf(n)).join('')

const onServer = (sql: string): Promise<unknown> => withClient(databases.connections[0], (client) => client.query(sql))

const storedNumbers = async (): Promise<number[]> => {
  const tables = [1, 2, 3].map((shardId) => `select (body -> 'n')::int as n from shard000${shardId}.entities`)
  return (await rowsOf<{ n: number }>(databases.connections[0], `${tables.join(' union all ')} order by 1`)).map(
    ({ n }) => n,
  )
}

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

function optionsOf(changes: Partial<ImportOptions> = {}): ImportOptions {
  return {
    format: 'ndjson',
    shards: { field: 'n' },
    kind: 1,
    delimiter: ',',
    columns: undefined,
    empty: 'null',
    nested: 'reject',
    journalPath: `${path}.hv-import`,
    isRestart: false,
    rejectsPath: `${path}.rejects.ndjson`,
    unknown: undefined,
    signal: undefined,
    onProgress: undefined,
    ...changes,
  }
}

async function importFile(changes: Partial<ImportOptions> = {}, target = db): Promise<ImportReport> {
  await using input = await OpenInput.open({ name: 'rows.ndjson', path, stream: createReadStream(path) })
  return await importInput(target, input, optionsOf(changes))
}

async function importStream(content: string): Promise<ImportReport> {
  const stream = Readable.from([Buffer.from(content)])
  await using input = await OpenInput.open({ name: 'standard input', path: undefined, stream })
  return await importInput(db, input, optionsOf())
}

/** Runs an import that a server ends, because shard 2 takes no rows for a while. */
async function stopImport(run: () => Promise<unknown>): Promise<void> {
  await onServer('alter table shard0002.entities rename to away')
  try {
    await expect(run()).rejects.toMatchObject({ code: 'HV_IMPORT_STOPPED', retryable: true })
  } finally {
    await onServer('alter table shard0002.away rename to entities')
  }
}

async function readJournal(): Promise<ImportEvent[]> {
  const lines = (await readFile(`${path}.hv-import`, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as ImportEvent)
}

describe('an import that a server ends', () => {
  it('goes on, with no row missing or double', async () => {
    await stopImport(() => importFile())
    expect(await importFile()).toMatchObject({ rows: 400, rejected: 0, isResumed: true })
    expect(await storedNumbers()).toEqual(numbersTo(400))
  })

  it('goes on from a stream that gives the same again, and from no other', async () => {
    await stopImport(() => importStream(text))
    await expect(importStream(text.replace('{"n":"7"}', '{"n":"x"}'))).rejects.toMatchObject({
      code: 'HV_JOURNAL_MISMATCH',
    })
    await importStream(text)
    expect(await storedNumbers()).toEqual(numbersTo(400))
  })

  it.each([
    ['another kind', { kind: 2 }, '--kind'],
    ['another field', { shards: { field: 'm' } }, '--shard-by'],
    ['another rule', { nested: 'json' }, '--nested'],
  ] as const)('does not go on with %s', async (_what, changes, different) => {
    await stopImport(() => importFile())
    const before = await storedNumbers()
    await expect(importFile(changes)).rejects.toMatchObject({
      code: 'HV_JOURNAL_MISMATCH',
      details: { different: [different] },
    })
    expect(await storedNumbers()).toEqual(before)
  })

  it('does not go on with another file, or in another database', async () => {
    await stopImport(() => importFile())
    await using other = new Datastore({ connections: [{ ...databases.connections[1], shards: '1-4' }] })
    const away = importFile({}, other)
    await expect(away).rejects.toMatchObject({ code: 'HV_JOURNAL_MISMATCH', details: { different: ['the database'] } })
    await writeFile(path, text.replace('{"n":"7"}', '{"n":"x"}'))
    await expect(importFile()).rejects.toMatchObject({ code: 'HV_JOURNAL_MISMATCH' })
  })

  it('begins from the first row when it is told to', async () => {
    await stopImport(() => importFile())
    expect(await importFile({ isRestart: true })).toMatchObject({ rows: 400, isResumed: false })
  })

  it('asks what to do when nobody can tell whether rows are stored', async () => {
    await stopImport(() => importFile())
    await importFile()
    const rows = await rowsOf<{ id: string }>(databases.connections[0], 'select id from shard0001.entities order by id')
    const xid = await rowsOf<{ xid: string }>(
      databases.connections[0],
      'select xmin::text as xid from shard0001.entities limit 1',
    )
    const { serverId } = db.topology.getServer(1)
    const ticket = { serverId, shardId: 1, transactionId: xid[0]?.xid ?? '', key: rows[0]?.id ?? '' }
    await db.delete(new Key(ticket.key))
    await stopImport(() => importFile())
    const read = { bytes: 0, crc: 0 }
    const opened: ImportEvent = { opened: { ticket, through: 399, rows: rows.length }, read }
    await writeFile(
      `${path}.hv-import`,
      [...(await readJournal()), opened].map((event) => `${JSON.stringify(event)}\n`).join(''),
    )
    await expect(importFile()).rejects.toMatchObject({ code: 'HV_IMPORT_UNKNOWN', details: { shardIds: [1] } })
    await importFile({ unknown: 'skip' })
  })
})

describe('an import', () => {
  it('is done by one process at a time', async () => {
    const both = await Promise.allSettled([importFile(), importFile()])
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'HV_JOURNAL_BUSY' } })
    expect(await storedNumbers()).toEqual(numbersTo(400))
  })

  it('of what is malformed says where, and has stored what is before', async () => {
    await writeFile(path, `[${text.trimEnd().replaceAll('\n', ',\n')}`)
    await expect(importFile({ format: 'json' })).rejects.toMatchObject({
      code: 'HV_IMPORT_MALFORMED',
      details: { rows: 399, line: 400 },
    })
  })

  it('ends with the reason of its signal', async () => {
    const reason = new Error('enough')
    await expect(importFile({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
