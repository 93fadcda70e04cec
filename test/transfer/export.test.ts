import { readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, provision } from '../../src/index.ts'
import type { ExportChoices, ExportReport } from '../../src/transfer/export/export-options.ts'
import { exportToFile } from '../../src/transfer/export/export-to-file.ts'
import { entriesOf, withClient } from '../schema/servers.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

let databases: TestDatabases
let db: Datastore
let folder: string
let path: string

/** 600 entities in three shards; three kinds. */
beforeAll(async () => {
  databases = await createDatabases(1)
  await provision(entriesOf(databases, '1-4'))
  db = new Datastore({ connections: entriesOf(databases, '1-4') })
  const bodies = Array.from({ length: 600 }, (_, n) => ({ n: String(n) }))
  await db.load((_, n) => n % 3, bodies, { shardOf: (_, n) => (n % 3) + 1 }).finish()
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})
beforeEach(() => {
  folder = makeTemporaryFolder('export')
  path = join(folder, 'all.ndjson')
})
afterEach(() => rm(folder, { recursive: true }))

const journal = (): string => `${path}.hv-export`

function write(changes: Partial<ExportChoices> = {}, isRestart = false): Promise<ExportReport> {
  const choices = { form: {}, kinds: undefined, isPacked: false, signal: undefined, onProgress: undefined, ...changes }
  return exportToFile(db, choices, { path, journalPath: journal(), isRestart })
}

/** Ends an export after some entities, because of a shard. */
async function stop(changes: Partial<ExportChoices> = {}): Promise<void> {
  const rename = (from: string, to: string): Promise<unknown> =>
    withClient(databases.connections[0], (client) => client.query(`alter table shard0002.${from} rename to ${to}`))
  await rename('entities', 'away')
  try {
    await expect(write(changes)).rejects.toMatchObject({ code: 'HV_EXPORT_STOPPED', retryable: true })
  } finally {
    await rename('away', 'entities')
  }
}

const numbers = async (): Promise<number[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => Number((JSON.parse(line) as { body: { n: string } }).body.n))
    .toSorted((a, b) => a - b)

const all = Array.from({ length: 600 }, (_, n) => n)

describe('an export to a file', () => {
  it('that is aborted at whatever page goes on, with no entity missing or double', async () => {
    for (const kinds of [undefined, [2, 0, 1]]) {
      const form = { format: 'csv' } as const
      for (let round = 1; ; round += 1) {
        const abort = new AbortController()
        let pages = 0
        const onProgress = (): void => {
          pages += 1
          if (pages === 2) abort.abort(new Error('enough'))
        }
        const end = await write({ form, kinds, signal: abort.signal, onProgress }).catch(
          (error: unknown) => (error as Error).message,
        )
        if (typeof end === 'object') break
        expect([end, round < 20]).toEqual(['enough', true])
      }
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
      expect(lines[0]).toBe('key,shard,kind,created,updated,body')
      expect(new Set(lines.slice(1)).size).toBe(600)
      expect(lines).toHaveLength(601)
    }
  })

  it('that a shard has stopped goes on only as it was begun', async () => {
    await stop({ kinds: [0, 1] })
    await expect(write({ kinds: [1, 0] })).rejects.toMatchObject({ details: { different: ['--kind'] } })
    await expect(write({ kinds: [0, 1], isPacked: true })).rejects.toMatchObject({ details: { different: ['--gzip'] } })
    expect(await write({ kinds: [0, 1] })).toMatchObject({ entities: 400, isResumed: true })
    expect(await numbers()).toEqual(all.filter((n) => n % 3 !== 2))
  })

  it('does not go on with a file that is gone, or shorter than it was', async () => {
    const abort = new AbortController()
    const onProgress = (): void => abort.abort()
    await expect(write({ kinds: [0, 1, 2], signal: abort.signal, onProgress })).rejects.toThrow('aborted')
    await truncate(path, 100)
    await expect(write({ kinds: [0, 1, 2] })).rejects.toMatchObject({
      code: 'HV_JOURNAL_MISMATCH',
      details: { different: [path] },
    })
    await unlink(path)
    await expect(write({ kinds: [0, 1, 2] })).rejects.toMatchObject({ code: 'HV_JOURNAL_MISMATCH' })
    expect(await write({ kinds: [0, 1, 2] }, true)).toMatchObject({ entities: 600, isResumed: false })
    expect(await numbers()).toEqual(all)
  })

  it('is done by one process at a time, and takes no other file for its journal', async () => {
    const both = await Promise.allSettled([write(), write()])
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'HV_JOURNAL_BUSY' } })
    for (const other of ['{"opened":1}\n', 'text\n', '']) {
      await writeFile(journal(), other)
      await expect(write()).rejects.toMatchObject({ code: 'HV_JOURNAL_MALFORMED' })
    }
    expect(await numbers()).toEqual(all)
  })
})
