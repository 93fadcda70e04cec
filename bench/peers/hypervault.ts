import { Datastore, type Body, type ConnectionEntry, type Entity, type Key } from '../../src/index.ts'
import { POOL_MAX, type EntityClient } from './entity-client.ts'

/** Name of this library as a contender. */
export const HYPERVAULT = 'hypervault'
/** The same without lanes. */
export const BATCHLESS = 'hypervault, batch: false'

/** This library. */
export class HypervaultClient implements EntityClient {
  readonly name: string
  readonly db: Datastore

  constructor(connections: readonly ConnectionEntry[], { batch = true }: { batch?: boolean } = {}) {
    this.name = batch ? HYPERVAULT : BATCHLESS
    this.db = new Datastore({ connections, poolMax: POOL_MAX, batch })
  }

  get(key: Key): Promise<Entity | undefined> {
    return this.db.get(key)
  }

  put(shardId: number, kind: number, body: Body): Promise<Key> {
    return this.db.put(shardId, kind, body)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.db.disconnect()
  }
}
