import { readFile, rename, writeFile } from 'node:fs/promises'
import type { FleetRecord, FleetServer } from './fleet-record.ts'
import { readServerSettings } from './server-settings.ts'

/*
 * The last topology that was read, for a start while the catalog is down. It holds no secrets: the settings name
 * variables and files. Written beside and renamed, so that it is whole or the one before.
 */

interface Document {
  readonly epoch: number
  readonly servers: readonly (Omit<FleetServer, 'settings'> & { readonly settings: unknown })[]
  /** Not in a file that an older release wrote. */
  readonly spread?: number[]
}

/** Writes the file. Throws what the file system throws. */
export async function writeTopologyFile(file: string, fleet: FleetRecord): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`
  await writeFile(beside, `${JSON.stringify(fleet)}\n`, { mode: 0o600 })
  await rename(beside, file)
}

/** Reads the file; undefined if there is none, or none that can be read. */
export async function tryReadTopologyFile(file: string): Promise<FleetRecord | undefined> {
  try {
    return parseDocument(JSON.parse(await readFile(file, 'utf8')) as Document)
  } catch {
    return undefined
  }
}

function parseDocument({ epoch, servers, spread }: Document): FleetRecord {
  const parsed = servers.map(({ serverId, settings, state, shardIds, ignored, problem }): FleetServer => {
    const kept = { ...(ignored !== undefined && { ignored }), ...(problem !== undefined && { problem }) }
    return { serverId, ...readServerSettings(settings), ...kept, state, shardIds: shardIds.map(Number) }
  })
  if (!Number.isInteger(epoch)) throw new TypeError('no epoch')
  return { epoch, servers: parsed, spread: spread?.map(Number) }
}
