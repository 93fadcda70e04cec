import type { ServerSession } from '../server/server-session.ts'
import { assertNotMovingSql } from './moving.ts'
import { tryLockShard, unlockShard, type ShardLockPurpose } from './shard-lock.ts'

/** Runs `work` while the session has these locks of a shard that is not moving; undefined if somebody else has one. */
export async function holdShard<T>(
  session: ServerSession,
  shardId: number,
  purposes: readonly ShardLockPurpose[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  const held: ShardLockPurpose[] = []
  try {
    for (const purpose of purposes) {
      const [row] = await session.read(tryLockShard(shardId, purpose))
      if (row?.[0] !== 't') return undefined
      held.push(purpose)
    }
    await session.execute([assertNotMovingSql([shardId])])
    return await work()
  } finally {
    // A session that is lost has lost its locks as well.
    for (const purpose of held) await session.read(unlockShard(shardId, purpose)).catch(() => undefined)
  }
}
