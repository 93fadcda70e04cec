import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { until } from '../support/until.ts'

/*
 * A reader that does not hear of the switch: it reaches the servers, and the catalog no longer. A writer hears of
 * everything.
 */

let servers: TestFleet
let proxy: CuttingProxy
let fleet: Fleet
let writer: Datastore
let reader: Datastore

beforeEach(async () => {
  servers = await createFleet()
  const catalog = { ...servers.catalogConnection }
  proxy = await startCuttingProxy(catalog)
  fleet = await Fleet.open({ catalog })
  writer = await Datastore.open({ catalog })
  const { port } = proxy
  reader = await Datastore.open({ catalog: { ...catalog, host: '127.0.0.1', port }, topologyPollMs: 50 })
})

afterEach(async () => {
  await Promise.all([writer.disconnect(), reader.disconnect(), fleet.close()])
  await proxy[Symbol.asyncDispose]()
  await servers[Symbol.asyncDispose]()
})

describe('a reader that has not heard of the switch', () => {
  it('reads what was there, and soon what is written on the new server, while the way back is open', async () => {
    const key = await writer.put(1, 1, { n: 'before' })
    await proxy.close()
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    expect(reader.topology.getServer(1).serverId).toBe('s1')
    expect((await reader.get(key))?.body).toEqual({ n: 'before' })
    await writer.update(key, { set: { n: 'after' } })
    expect(writer.topology.getServer(1).serverId).toBe('s3')
    await until('the stream back has brought it', async () => (await reader.get(key))?.body.n === 'after')
    expect(reader.topology.getServer(1).serverId).toBe('s1')
    await fleet.reverse(moveId, { maxPauseMs: 60_000 })
    expect((await reader.get(key))?.body).toEqual({ n: 'after' })
  })

  it('is refused once the move is complete, and reads again when it reaches the catalog', async () => {
    const key = await writer.put(1, 1, { n: 'before' })
    await proxy.close()
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await fleet.complete(moveId)
    const refused = { code: 'HV_SHARD_MISSING', details: { shardId: 1, serverId: 's1' } }
    await expect(reader.get(key)).rejects.toMatchObject(refused)
    await expect(reader.put(1, 1, {})).rejects.toMatchObject(refused)
    proxy.open()
    await until('the reader has heard', async () => (await reader.get(key).catch(() => undefined)) !== undefined)
    expect(reader.topology.getServer(1).serverId).toBe('s3')
  })

  it('cannot write at the old server while the way back is open', async () => {
    await proxy.close()
    await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    const options = { signal: AbortSignal.timeout(1_000) }
    await expect(reader.put(1, 1, {}, options)).rejects.toMatchObject({ name: 'TimeoutError' })
    proxy.open()
    const key = await reader.put(1, 1, { n: 'there' })
    expect(reader.topology.getServer(1).serverId).toBe('s3')
    expect((await writer.get(key))?.body).toEqual({ n: 'there' })
  })
})
