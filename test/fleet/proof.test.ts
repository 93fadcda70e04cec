import { expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { compareRows, endedTables, listLasting, type Mismatch } from '../../src/fleet/move/proof.ts'
import { ComparedSides } from '../../src/fleet/move/snapshots.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { createFleet, settingsOf } from '../support/fleet.ts'
import { listHomes, queryServer } from './fleet-query.ts'

const table = { name: 'entities', columns: ['id'], key: [], identity: 'default', rowsEstimate: 0, bytes: 0 } as const

const mismatch = (upTo: string, seen: string): Mismatch => ({ table, after: undefined, upTo: [upTo], seen })

it('a chunk differs only if neither side has changed between two looks at it', () => {
  const stays = mismatch('1', '1,7,1,8')
  const before = [stays, mismatch('2', '1,7,1,8'), mismatch('3', '1,7,1,8')]
  const now = [{ ...stays }, mismatch('2', '1,9,1,8'), mismatch('4', '1,7,1,8')]
  expect(listLasting(before, now)).toEqual([stays])
})

it('a comparison of live rows ends at the last row that was there when it began', async () => {
  await using servers = await createFleet(2)
  const insert = "insert into shard0001.entities (type, body) select 1, '' from generate_series(1, 10)"
  await queryServer(servers, 0, insert)
  await using link = new FleetLink('s1', settingsOf(servers.connections[0]!))
  await using sides = await ComparedSides.open(link, link)
  const entities = { ...table, key: [{ name: 'id', type: 'bigint' }] }
  const runs = await endedTables(sides.sessions[0], 1, [entities])
  await queryServer(servers, 0, insert)
  expect(await compareRows(1, runs, sides.sessions, { rowsPerChunk: 3 })).toMatchObject({ rows: 10, mismatches: [] })
  expect(await endedTables(sides.sessions[0], 2, [entities])).toEqual([])
})

it('rows that change and are added all the time keep no shard from moving', async () => {
  await using servers = await createFleet()
  await using fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const insert = "insert into shard0001.entities (type, body) select 1, 'n=>0' from generate_series"
  await queryServer(servers, 0, `${insert}(1, 100)`)
  let isComparing = false
  let written: Promise<void> | undefined
  const write = async (): Promise<void> => {
    while (isComparing) {
      await queryServer(servers, 0, `${insert}(1, 20); update shard0001.entities set type = type # 1 where type < 2`)
    }
  }
  const onCheckpoint = (name: string): void => {
    if (name === 'way back: slot done') {
      isComparing = true
      written = write()
    }
    if (name === 'compare done') isComparing = false
  }
  try {
    const { mismatches } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    expect(mismatches).toEqual([])
  } finally {
    isComparing = false
    await written
  }
  expect(await listHomes(servers, 1)).toEqual(['s1', 's3'])
})
