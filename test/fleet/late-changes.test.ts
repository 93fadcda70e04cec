import { expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

/** What is made behind the comparison of both sides, at which of them, what takes it back, and how it is told. */
const changes: readonly (readonly [side: 'from' | 'to', make: string, undo: string, told: string])[] = [
  [
    'from',
    'create index by_type on shard0001.entities (type)',
    'drop index shard0001.by_type',
    'CREATE INDEX by_type ON entities USING btree (type)',
  ],
  [
    'from',
    'grant select on shard0001.entities to public',
    'revoke select on shard0001.entities from public',
    'public may select on table entities',
  ],
  [
    'from',
    `create domain shard0001.few as int check (value < 9)`,
    'drop domain shard0001.few',
    'constraint few_check on domain few: CHECK ((VALUE < 9))',
  ],
  [
    'to',
    'alter table shard0001.entities alter column type set default 7',
    'alter table shard0001.entities alter column type drop default',
    'column entities.type smallint not null default 7',
  ],
]

const backAgain = `alter table shard0001.entities alter type set statistics 50;
  alter table shard0001.entities alter type set statistics -1`

it('ends when the shard was changed between the comparison and the fence, there and back, and goes on without that', async () => {
  const ways = [
    { from: 0, to: 2, go: fleet.resume.bind(fleet) },
    { from: 2, to: 0, go: fleet.reverse.bind(fleet) },
  ]
  const hurried = { to: 's3', maxPauseMs: 60_000, onCheckpoint: endAt('way back: slot done') }
  await expect(fleet.moveShard(1, hurried)).rejects.toThrow('enough')
  for (const { go, ...sides } of ways) {
    for (const [side, make, undo, told] of changes) {
      const server = sides[side]
      const onCheckpoint = async (name: string): Promise<void> => {
        if (name === 'fenced') await queryServer(servers, server, make)
      }
      await expect(go(1, { maxPauseMs: 60_000, onCheckpoint }), make).rejects.toMatchObject({
        code: 'HV_MOVE_CHANGED',
        details: { different: expect.arrayContaining([`new on s${server + 1}: ${told}`]) as string[] },
      })
      await queryServer(servers, server, undo)
      await queryServer(servers, sides.from, `insert into shard0001.entities (type, body) values (1, '')`)
    }
    // What is changed and put back leaves a trace, and is no difference.
    const onCheckpoint = async (name: string): Promise<void> => {
      if (name === 'fenced') for (const server of [sides.from, sides.to]) await queryServer(servers, server, backAgain)
    }
    expect(await go(1, { maxPauseMs: 60_000, onCheckpoint })).toMatchObject({ mismatches: [] })
  }
  // One row of migrations, and one for each attempt that was given up.
  expect((await fleet.moves())[0]).toMatchObject({ phase: 'reversed', report: { rows: 1 + 2 * changes.length } })
  expect(await listHomes(servers, 1)).toEqual(['s1'])
  expect(await listLeftovers(servers)).toEqual([])
})

function endAt(place: string): (name: string) => void {
  return (name) => {
    if (name === place) throw new Error('enough')
  }
}
