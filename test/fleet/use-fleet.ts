import { afterEach, beforeEach } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'

/** Servers s1 and s2 with the shards 1 … 4, s3 without any, and an operator. */
export interface UsedFleet {
  readonly servers: TestFleet
  readonly fleet: Fleet
}

/** Gives each test of a file a fleet of its own, and takes it away behind it. */
export function useFleet(take: (used: UsedFleet) => void): void {
  let used: UsedFleet | undefined
  beforeEach(async () => {
    const servers = await createFleet()
    used = { servers, fleet: await Fleet.open({ catalog: { ...servers.catalogConnection } }) }
    take(used)
  })
  afterEach(async () => {
    await used?.fleet.close()
    await used?.servers[Symbol.asyncDispose]()
    used = undefined
  })
}
