import { Datastore, isHypervaultError, Key } from 'pg-hypervault'
import { startCluster } from 'pg-hypervault/testing'

const cluster = await startCluster({ servers: 2, shards: '1-5' })
try {
  const db = new Datastore({ connections: cluster.connections })
  const key = await db.put(4, 1, { beep: 'boop' })
  const entity = await db.get(new Key(String(key)))
  const failure = await db.put(9, 1, {}).catch((error) => error)
  await db.disconnect()
  const code = isHypervaultError(failure) ? failure.code : undefined
  process.stdout.write(JSON.stringify({ shardId: key.shardId, body: entity.body, code }))
} finally {
  await cluster.stop()
}
