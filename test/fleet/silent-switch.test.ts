import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { startFreezingProxy, type FreezingProxy } from '../support/freezing-proxy.ts'
import { listHomes } from './fleet-query.ts'

// An operator whose link to the catalog freezes during the cutover, and a datastore whose link does not.
let servers: TestFleet
let proxy: FreezingProxy
let operator: Fleet
let db: Datastore

beforeEach(async () => {
  servers = await createFleet()
  proxy = await startFreezingProxy(servers.catalogConnection)
  operator = await Fleet.open({ catalog: { ...servers.catalogConnection, host: '127.0.0.1', port: proxy.port } })
  db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
})

afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  await Promise.all([db.disconnect(), operator.close()])
  await servers[Symbol.asyncDispose]()
})

const maxPauseMs = 2_000

function moveFreezing(at: string, freeze: () => void): Promise<unknown> {
  const onCheckpoint = (name: string): void => {
    if (name === at) freeze()
  }
  return operator.moveShard(1, { to: 's3', maxPauseMs, onCheckpoint })
}

describe('when the catalog falls silent in a cutover', { timeout: 40_000 }, () => {
  it.each([
    ['comes through, and only its answer does not', 'behind'],
    ['never comes through', 'before'],
  ] as const)('and the commit of the switch %s, another connection tells what became of it', async (_, where) => {
    const move = moveFreezing('ready to switch', () => proxy.freezeAnswerTo('commit', where))
    if (where === 'behind') await expect(move).resolves.toMatchObject({ mismatches: [] })
    else await expect(move).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST', details: { serverId: 'catalog' } })
    await db.put(1, 1, { a: 'b' })
    expect(db.topology.getServer(1).serverId).toBe(where === 'behind' ? 's3' : 's1')
  })

  it('and stays so before the switch, the writers go on where they were', async () => {
    await expect(moveFreezing('marker arrived', () => proxy.freeze())).rejects.toMatchObject({ code: /HV_/ })
    await db.put(1, 1, { a: 'b' })
    expect(db.topology.getServer(1).serverId).toBe('s1')
  })

  it('and stays so from the commit on, the operator is told that nobody knows, and resume finds out', async () => {
    const key = await db.put(1, 1, { a: 'b' })
    const move = moveFreezing('ready to switch', () => proxy.freezeAnswerTo('commit', 'behind', 'all'))
    await expect(move).rejects.toMatchObject({
      code: 'HV_OUTCOME_UNKNOWN',
      hint: expect.stringMatching(/move resume \d+/),
    })
    proxy.thaw()
    const [first] = await operator.moves()
    const moveId = first?.moveId ?? 0
    await operator.resume(moveId)
    await operator.complete(moveId)
    expect(await db.get(key)).toMatchObject({ body: { a: 'b' } })
    await db.put(1, 1, {})
    expect(await listHomes(servers, 1)).toEqual(['s3'])
  })
})
