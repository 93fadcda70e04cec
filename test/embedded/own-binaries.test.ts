import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { findBinaries } from '../../src/embedded/binaries.ts'
import { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { acquireRuntime, type Runtime } from '../../src/embedded/runtime-folder.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { query } from './query.ts'

let runtime: Runtime

beforeAll(async () => {
  vi.stubEnv('HYPERVAULT_PG_BIN', '')
  runtime = await acquireRuntime(await findBinaries(17))
  vi.stubEnv('HYPERVAULT_PG_BIN', runtime.binFolder)
})

afterAll(() => runtime.release())

it('HYPERVAULT_PG_BIN names the folder with the binaries to run', async () => {
  await using server = await EmbeddedServer.start()
  expect(server.version).toBe(17)
  expect((await query(server.connection, 'show data_directory'))[0]).toContain('hypervault-server-17')
})

it('another version than the one of HYPERVAULT_PG_BIN is refused', async () => {
  const error = await EmbeddedServer.start({ version: 18 }).catch((error: unknown) => error)
  if (!isHypervaultError(error, 'HV_EMBEDDED_MISSING')) throw error
  expect(error.message).toContain('has PostgreSQL 17, not 18')
})

it('a HYPERVAULT_PG_BIN without postgres is refused', async () => {
  vi.stubEnv('HYPERVAULT_PG_BIN', '/nowhere')
  await expect(EmbeddedServer.start()).rejects.toThrow('HYPERVAULT_PG_BIN=/nowhere has no postgres that runs')
})
