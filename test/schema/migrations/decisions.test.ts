import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtInMigrations } from '../../../src/schema/migrations/built-in.ts'
import type { Migration, SqlMigration } from '../../../src/schema/migrations/migration.ts'
import { cutIntoStages, decideScope } from '../../../src/schema/migrations/plan/decide-scope.ts'
import { judgeShard } from '../../../src/schema/migrations/plan/judge-shard.ts'
import { planWaves } from '../../../src/schema/migrations/plan/plan-waves.ts'
import { decideBatchSize } from '../../../src/schema/migrations/run/decide-batch.ts'
import { decideLockRetry } from '../../../src/schema/migrations/run/decide-lock-retry.ts'
import { decidePace } from '../../../src/schema/migrations/run/decide-pace.ts'
import { decideStop } from '../../../src/schema/migrations/run/decide-stop.ts'
import { readSqlMigration } from '../../../src/schema/migrations/sql-migration.ts'
import type { ShardState } from '../../../src/schema/migrations/state/shard-state.ts'

function make(id: string, header = ''): SqlMigration {
  const text = `-- hypervault: ${header}\nselect ${Number(id)}`
  return readSqlMigration({
    id,
    name: 'x',
    origin: id,
    text: header === '' ? `select ${Number(id)}` : text,
  }) as SqlMigration
}

const own = [make('0001'), make('0002'), make('0003')] as const
const all: readonly Migration[] = [...builtInMigrations, ...own]

function stateOf(ids: readonly string[], changes: Partial<ShardState> = {}): ShardState {
  const applied = ids.map((id) => {
    const { name = 'x', checksum = 'c' } = all.find((each) => each.id === id) ?? {}
    return { id, name, checksum, isDone: true }
  })
  return { shardId: 5, isThere: true, isMoving: false, applied, ...changes }
}

describe('the verdict on a shard', () => {
  it.each([
    ['has had nothing', stateOf([], { applied: undefined }), ['hv0001', '0001', '0002', '0003']],
    ['is at the second', stateOf(['hv0001', '0001', '0002']), ['0003']],
    ['has had everything', stateOf(['hv0001', '0001', '0002', '0003']), []],
  ])('that %s is what is left', (_, state, pending) => {
    const verdict = judgeShard(all, state)
    expect(verdict).toMatchObject({ kind: 'ready', isNew: false })
    expect(verdict.kind === 'ready' && verdict.pending.map(({ id }) => id)).toEqual(pending)
  })

  it('runs again what was begun and has not come to its end', () => {
    const begun = stateOf(['hv0001', '0001', '0002'])
    const applied = begun.applied?.map((row) => ({ ...row, isDone: row.id !== '0002' }))
    const verdict = judgeShard(all, { ...begun, applied })
    expect(verdict.kind === 'ready' && verdict.pending.map(({ id }) => id)).toEqual(['0002', '0003'])
  })

  it('knows a new shard by its first row', () => {
    const made = stateOf(['hv0001'])
    const applied = made.applied?.map((row) => ({ ...row, isDone: false }))
    expect(judgeShard(all, { ...made, applied })).toMatchObject({ kind: 'ready', isNew: true, pending: own })
  })

  it.each([
    ['0004_x has run, but its file is missing', stateOf(['hv0001', '0001', '0004'])],
    ['hv0002_x belongs to a newer release than this one', stateOf(['hv0001', 'hv0002'])],
    ['0001_x has not run, but 0002_x, which comes after it, has run', stateOf(['hv0001', '0002'])],
    [
      '0001_x has run, but its file was changed since then',
      stateOf([], { applied: [{ id: '0001', name: 'x', checksum: 'other', isDone: true }] }),
    ],
  ])('refuses when %s', (problem, state) => {
    const verdict = judgeShard(all, state)
    expect(verdict.kind === 'refused' && verdict.problems).toContain(problem)
  })

  it('leaves alone a shard that is missing, or moves', () => {
    expect(judgeShard(all, stateOf([], { isThere: false }))).toEqual({ kind: 'missing' })
    expect(judgeShard(all, stateOf(['hv0001'], { isMoving: true }))).toEqual({ kind: 'moving' })
  })
})

describe('what may run', () => {
  const breaking = make('0002', 'breaking')
  const list = [own[0], breaking, own[2]]
  const limits = { to: undefined, isBreakingAllowed: false }

  it('ends before a breaking migration that a shard in use lacks', () => {
    expect(decideScope(list, [{ pending: list, isNew: false }], limits)).toEqual({
      allowed: [own[0]],
      held: [breaking, own[2]],
    })
  })

  it('is everything when breaking is allowed, and up to the one that is asked for', () => {
    const shards = [{ pending: list, isNew: false }]
    expect(decideScope(list, shards, { ...limits, isBreakingAllowed: true }).held).toEqual([])
    expect(decideScope(list, shards, { to: breaking, isBreakingAllowed: true }).allowed).toEqual([own[0], breaking])
  })

  it('is for new shards what those in use have had, also what is breaking', () => {
    const behind = [{ pending: list, isNew: true }]
    expect(decideScope(list, behind, limits).held).toEqual([])
    expect(decideScope(list, [...behind, { pending: [own[2]], isNew: false }], limits).held).toEqual([])
    expect(decideScope(list, [...behind, { pending: list, isNew: false }], limits).held).toEqual([breaking, own[2]])
  })

  it('is cut into stages around those that are alone', () => {
    const alone = make('0002', 'alone')
    expect(cutIntoStages([own[0], alone, own[2]])).toEqual([[own[0]], [alone], [own[2]]])
    expect(cutIntoStages(own)).toEqual([own])
  })
})

describe('waves', () => {
  const shards = fc.uniqueArray(fc.integer({ min: 0, max: 8191 }), { maxLength: 60 })
  const shares = fc.constantFrom([1], [0.01, 0.1, 1], [0.5, 1])

  it('hold every shard once, the canary first, and never more than the share', () => {
    fc.assert(
      fc.property(shards, shares, fc.nat(60), (ids, waves, cut) => {
        const servers = [
          { serverId: 's1', shardIds: ids.slice(0, cut) },
          { serverId: 's2', shardIds: ids.slice(cut) },
        ]
        const planned = planWaves(servers, { canary: undefined, waves })
        const found = planned.flatMap((wave) => wave.servers.flatMap(({ shardIds }) => shardIds))
        expect([...found].sort((a, b) => a - b)).toEqual([...ids].sort((a, b) => a - b))
        if (ids.length === 0) return
        expect(planned[0]).toMatchObject({ isCanary: true, servers: [{ shardIds: [Math.min(...ids)] }] })
        expect(planned.slice(1).every(({ isCanary }) => !isCanary)).toBe(true)
      }),
    )
  })

  it('begin with the shards that are asked for, or with none', () => {
    const servers = [{ serverId: 's1', shardIds: [1, 2, 3, 4] }]
    expect(planWaves(servers, { canary: [3, 9], waves: [1] })).toEqual([
      { isCanary: true, servers: [{ serverId: 's1', shardIds: [3] }] },
      { isCanary: false, servers: [{ serverId: 's1', shardIds: [1, 2, 4] }] },
    ])
    expect(planWaves(servers, { canary: [], waves: [0.5, 1] }).map(({ servers: [first] }) => first?.shardIds)).toEqual([
      [1, 2],
      [3, 4],
    ])
  })
})

describe('a run', () => {
  it('takes one shard at a time until it knows how long it takes, then as many as fit', () => {
    expect(decideBatchSize({ shards: 0, ms: 0 })).toBe(1)
    expect(decideBatchSize({ shards: 1, ms: 5 })).toBe(5)
    expect(decideBatchSize({ shards: 10, ms: 1 })).toBe(32)
    expect(decideBatchSize({ shards: 4, ms: 4_000 })).toBe(1)
  })

  it('tries a shard again after pauses that grow, until its budget is spent', () => {
    const pauses = [1, 2, 3, 12].map((tries) => decideLockRetry({ tries, waitedMs: 0 }, 1_000))
    expect(pauses).toEqual([50, 100, 200, 5_000].map((pauseMs) => ({ action: 'again', pauseMs })))
    expect(decideLockRetry({ tries: 9, waitedMs: 1_000 }, 1_000)).toEqual({ action: 'fail', tries: 9, waitedMs: 1_000 })
  })

  it('waits for a server that lags or whose sessions wait for locks, and stops when that does not end', () => {
    const limits = { maxLagBytes: 100, maxLockWaits: 2, paceTimeoutMs: 1_000 }
    expect(decidePace({ lagBytes: undefined, lockWaits: 2, overMs: 0 }, limits)).toEqual({ action: 'go' })
    expect(decidePace({ lagBytes: 100, lockWaits: 0, overMs: 0 }, limits)).toEqual({ action: 'go' })
    expect(decidePace({ lagBytes: 101, lockWaits: 0, overMs: 0 }, limits)).toEqual({
      action: 'wait',
      reason: 'a standby lags 101 bytes behind, more than 100',
    })
    expect(decidePace({ lagBytes: 0, lockWaits: 3, overMs: 1_000 }, limits)).toEqual({
      action: 'stop',
      reason: '3 sessions wait for locks, more than 2',
    })
  })

  it('stops when the canary fails, or too many shards do', () => {
    expect(decideStop({ failed: 1, hasCanaryFailed: true }, 10)).toContain('canary')
    expect(decideStop({ failed: 11, hasCanaryFailed: false }, 10)).toBe('11 shards failed, more than 10')
    expect(decideStop({ failed: 10, hasCanaryFailed: false }, 10)).toBeUndefined()
  })
})
