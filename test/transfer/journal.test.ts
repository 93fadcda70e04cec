import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ExportFile } from '../../src/transfer/export/export-file.ts'
import { ImportState, type ImportEvent } from '../../src/transfer/import/import-state.ts'
import { RejectsFile } from '../../src/transfer/import/rejects-file.ts'
import { JournalFile } from '../../src/transfer/journal/journal-file.ts'
import { LockFile } from '../../src/transfer/journal/lock-file.ts'
import { findProcessStart } from '../../src/transfer/journal/process-start.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = makeTemporaryFolder('journal')
  path = join(folder, 'journal')
})
afterEach(() => rm(folder, { recursive: true }))

describe('a journal', () => {
  it('gives back what was appended, in its order, and nothing of an unfinished line', async () => {
    const events: unknown[] = [{ began: true }]
    const journal = new JournalFile(path, () => events)
    const append = (event: object): Promise<void> => {
      events.push(event)
      return journal.append(event)
    }
    await Promise.all(Array.from({ length: 50 }, (_, n) => append({ n })))
    events.push({ noted: true })
    journal.note({ noted: true })
    await journal.close()
    expect(await JournalFile.read(path)).toEqual(events)
    await writeFile(path, `${await readFile(path, 'utf8')}{"n":5`)
    expect(await JournalFile.read(path)).toEqual(events)
  })

  it('that has grown long is replaced by its summary, with all that came meanwhile', async () => {
    let sum = 0
    const journal = new JournalFile(path, () => [{ sum }])
    const add = (text: string): Promise<void> => {
      sum += 1
      return journal.append({ add: 1, text })
    }
    for (let round = 0; round < 12; round += 1) await Promise.all([add('x'.repeat(1024 * 1024)), add('')])
    await journal.close()
    expect((await stat(path)).size).toBeLessThan(6 * 1024 * 1024)
    const events = (await JournalFile.read(path)) as { sum?: number; add?: number }[]
    expect(events.reduce((total, event) => total + (event.sum ?? 0) + (event.add ?? 0), 0)).toBe(sum)
  })

  it('is undefined where there is none, and refused when it is something else', async () => {
    expect(await JournalFile.read(path)).toBeUndefined()
    await writeFile(path, 'name,country\n')
    await expect(JournalFile.read(path)).rejects.toMatchObject({ code: 'HV_JOURNAL_MALFORMED' })
  })

  it('tells who cannot write to it', async () => {
    const journal = new JournalFile(join(folder, 'none', 'journal'), () => [])
    await expect(journal.append({})).rejects.toThrow('ENOENT')
  })
})

describe('a lock', () => {
  it('is had by one at a time, and free again afterwards', async () => {
    const first = await LockFile.take(path)
    await expect(LockFile.take(path)).rejects.toMatchObject({ code: 'HV_JOURNAL_BUSY', details: { pid: process.pid } })
    await first[Symbol.asyncDispose]()
    await (await LockFile.take(path))[Symbol.asyncDispose]()
  })

  it('of a process that is gone is taken over, by one', async () => {
    await writeFile(path, JSON.stringify({ pid: 4_194_999, host: hostname() }))
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => LockFile.take(path)))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('of an earlier process with the number of this one is taken over, by one', async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname() }))
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => LockFile.take(path)))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(LockFile.take(join(folder, '.', 'journal'))).rejects.toMatchObject({ code: 'HV_JOURNAL_BUSY' })
  })

  it.runIf(process.platform === 'linux')('of a process whose number another one has by now is taken over', async () => {
    const { ppid: pid } = process
    const start = await findProcessStart(pid)
    const holder = { pid, host: hostname() }
    for (const held of [{ ...holder, start }, holder]) {
      await writeFile(path, JSON.stringify(held))
      await expect(LockFile.take(path)).rejects.toMatchObject({ code: 'HV_JOURNAL_BUSY', details: { pid } })
    }
    for (const earlier of ['another boot 5', start?.replace(/\d+$/, '5')]) {
      await writeFile(path, JSON.stringify({ ...holder, start: earlier }))
      await using _lock = await LockFile.take(path)
      const taken = JSON.parse(await readFile(path, 'utf8')) as { start: unknown }
      expect(taken).toEqual({ pid: process.pid, host: hostname(), start: await findProcessStart(process.pid) })
    }
  })

  it.each(['', '{"pid":12', '\0\0\0', '[]', '{"pid":null,"host":"x"}', '{"pid":-1,"host":"x"}', 'null'])(
    'that was left behind in the middle, as %j, is taken over when it is old',
    async (text) => {
      await writeFile(path, text)
      await expect(LockFile.take(path)).rejects.toMatchObject({ code: 'HV_JOURNAL_BUSY' })
      expect(await readFile(path, 'utf8')).toBe(text)
      await utimes(path, 0, Date.now() / 1_000 - 60)
      await (await LockFile.take(path))[Symbol.asyncDispose]()
    },
  )

  it.each([JSON.stringify({ pid: 4_194_999, host: 'another' })])('that says %j is left alone', async (text) => {
    await writeFile(path, text)
    await expect(LockFile.take(path)).rejects.toMatchObject({ code: 'HV_JOURNAL_BUSY' })
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})

describe('the state of an import', () => {
  const mark = fc.record({ bytes: fc.nat(), crc: fc.nat() })
  const shardId = fc.nat(3)
  const opened = fc.record({
    ticket: fc.record({ serverId: fc.constant('s1'), shardId, transactionId: fc.constant('7'), key: fc.constant('9') }),
    through: fc.nat(),
    rows: fc.nat(),
  })
  const event: fc.Arbitrary<ImportEvent> = fc.oneof(
    fc.record({ opened, read: mark }),
    fc.record({ stored: shardId }),
    fc.record({ dropped: shardId }),
    fc.record({ head: fc.nat() }),
    fc.record({ broken: mark }),
  )
  const began: ImportEvent = { began: { '--kind': 1 }, start: { bytes: 3, crc: 4 } }

  it('is the same from all events and from a summary of the first of them', () => {
    fc.assert(
      fc.property(fc.array(event), fc.nat(), (events, seed) => {
        const cut = seed % (events.length + 1)
        const summary = ImportState.from([began, ...events.slice(0, cut)])?.summarize() ?? []
        const stored = JSON.parse(JSON.stringify(summary)) as ImportEvent[]
        const resumed = ImportState.from([...stored, ...events.slice(cut)])
        expect(resumed?.summarize()).toEqual(ImportState.from([began, ...events])?.summarize())
      }),
    )
  })

  it('has of a shard what is stored, and not what was only announced', () => {
    const ticket = { serverId: 's1', shardId: 3, transactionId: '7', key: '9' }
    const state = new ImportState({}, { bytes: 0, crc: 0 })
    const read = { bytes: 9, crc: 9 }
    state.apply({ opened: { ticket, through: 40, rows: 5 }, read })
    expect([state.throughOf(3), state.place.rows]).toEqual([-1, 0])
    state.apply({ stored: 3 })
    state.apply({ opened: { ticket, through: 60, rows: 7 }, read })
    state.apply({ dropped: 3 })
    expect([state.throughOf(3), state.place.rows, state.throughOf(2)]).toEqual([40, 5, -1])
  })
})

describe('the file of rejects', () => {
  const reject = (record: number): { line: number; record: number; reason: string; text: string } => ({
    line: record,
    record,
    reason: 'no',
    text: 'x',
  })

  it('is there once something is rejected, and what was there before is gone', async () => {
    await writeFile(path, 'old')
    const rejects = new RejectsFile(path)
    await rejects.prepare(undefined)
    await rejects.flush()
    await expect(stat(path)).rejects.toThrow('ENOENT')
    rejects.add(reject(1))
    await rejects[Symbol.asyncDispose]()
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(reject(1))
  })

  it('knows when it goes on what it has from the head on, and drops an unfinished line', async () => {
    const lines = [1, 5, 3].map((record) => `${JSON.stringify(reject(record))}\n`)
    await writeFile(path, [...lines, JSON.stringify(reject(8)).slice(0, -1)].join(''))
    await using rejects = new RejectsFile(path)
    await rejects.prepare(2)
    expect([0, 1, 2, 3, 4, 7].filter((record) => rejects.has(record))).toEqual([2, 4])
    expect(rejects.count).toBe(3)
    rejects.add(reject(9))
    await rejects.flush()
    const text = await readFile(path, 'utf8')
    expect(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { record: number }).record),
    ).toEqual([1, 5, 3, 9])
  })

  it('is refused when it holds something else', async () => {
    await writeFile(path, 'name,country\n')
    await expect(new RejectsFile(path).prepare(0)).rejects.toMatchObject({ code: 'HV_JOURNAL_MALFORMED' })
    expect(await readFile(path, 'utf8')).toBe('name,country\n')
  })
})

describe('a file that says what is stored', () => {
  const modeOf = async (name: string): Promise<number> => (await stat(name)).mode & 0o777

  it('is for its owner alone', async () => {
    await using lock = await LockFile.take(`${path}.lock`)
    const journal = new JournalFile(path, () => [{ began: true }])
    await journal.append({ began: true })
    await journal.close()
    await using rejects = new RejectsFile(`${path}.rejects`)
    rejects.add({ line: 1, record: 1, reason: 'none', text: 'secret' })
    await rejects.flush()
    await using packed = await ExportFile.open(`${path}.gz`, 0, true)
    await writeFile(`${path}.old`, 'of another time', { mode: 0o644 })
    await using replaced = await ExportFile.open(`${path}.old`, 0, false)
    expect([lock, packed, replaced].every((file) => file !== undefined)).toBe(true)
    const names = ['', '.lock', '.rejects', '.gz', '.old'].map((ending) => `${path}${ending}`)
    expect(await Promise.all(names.map(modeOf))).toEqual(names.map(() => 0o600))
  })
})

describe('a file that cannot be used', () => {
  const uses: Record<string, (name: string) => Promise<unknown>> = {
    lock: (name) => LockFile.take(name),
    journal: (name) => new JournalFile(name, () => []).append({}),
    'journal that is read': (name) => JournalFile.read(name),
    export: (name) => ExportFile.open(name, 0, false),
    rejects: async (name) => {
      const rejects = new RejectsFile(name)
      rejects.add({ line: 1, record: 1, reason: 'none', text: '' })
      await rejects.flush()
    },
  }

  it.each([
    ['lock', 'none/file', 'ENOENT'],
    ['journal', 'none/file', 'ENOENT'],
    ['journal', 'file/file', 'ENOTDIR'],
    ['journal that is read', 'folder', 'EISDIR'],
    ['export', 'none/file', 'ENOENT'],
    ['export', 'folder', 'EISDIR'],
    ['rejects', 'none/file', 'ENOENT'],
    ['rejects', 'folder', 'EISDIR'],
  ])('is named with the remedy: %s, %s', async (use, name, reason) => {
    await mkdir(join(folder, 'folder'))
    await writeFile(join(folder, 'file'), '')
    const file = join(folder, name)
    await expect(uses[use]?.(file)).rejects.toMatchObject({
      code: 'HV_FILE_FAILED',
      details: { file, reason },
      message: expect.stringContaining(file) as string,
      hint: expect.stringMatching(/^(?:Create the folder|Name a file)/) as string,
    })
  })

  it.skipIf(process.platform !== 'linux')('says that the disk is full', async () => {
    await expect(uses.rejects?.('/dev/full')).rejects.toMatchObject({
      code: 'HV_FILE_FAILED',
      details: { file: '/dev/full', reason: 'ENOSPC' },
      hint: 'Free space on the disk, then run the same again: it continues.',
    })
  })
})
