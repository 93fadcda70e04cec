import { expect, it, vi } from 'vitest'
import { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { occupyPort } from './port.ts'
import { query } from './query.ts'

vi.mock('../../src/embedded/free-port.ts', { spy: true })

it('a port that is taken between the look and the start is given up for another', async () => {
  await using other = await occupyPort()
  vi.mocked(findFreePort).mockResolvedValueOnce(other.port)
  await using server = await EmbeddedServer.start()
  expect(server.port).not.toBe(other.port)
  expect(await query(server.connection, 'select 1')).toEqual([1])
})

it('a free port is one that nobody listens on, below those of outgoing connections', async () => {
  const port = await findFreePort()
  await using other = await occupyPort(port)
  expect(other.port).toBe(port)
  expect(port).toBeGreaterThanOrEqual(20_000)
  expect(port).toBeLessThan(32_000)
})
