import { describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

/** In front of three rows the shard has one, that of its own migrations. */
const rows = `insert into shard0001.entities (type, body) select 1, '' from generate_series(1, 3)`

describe('a reversal that is resumed', () => {
  it.each([
    ['switched', undefined],
    ['subscription removed at s1', { rows: 4, mismatches: [], isExact: true }],
  ])('behind "%s" has its own report or none, and never that of the way there', async (place, report) => {
    const { moveId, rows: rowsThere } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    expect(rowsThere).toBe(1)
    await queryServer(servers, 2, rows)
    const onCheckpoint = (name: string): void => {
      if (name === place) throw new Error('enough')
    }
    await expect(fleet.reverse(moveId, { maxPauseMs: 60_000, onCheckpoint })).rejects.toThrow('enough')
    const expected = report === undefined ? undefined : expect.objectContaining(report)
    expect(await fleet.resume(moveId)).toEqual(expected)
    expect(await fleet.resume(moveId)).toEqual(expected)
    expect(await fleet.reverse(moveId)).toEqual(expected)
    expect((await fleet.moves())[0]?.report).toEqual(expected)
  })
})
