import { expect, test } from 'vitest'
import { describeMoveProgress } from '../../src/cli/fleet/move-progress.ts'

const event = { moveId: 1, shardId: 5, source: 's1', target: 's3', phase: 'copying', step: 'copy rows' } as const

test.each([
  [{}, 0, 'shard 5 to s3, copying: copy rows'],
  [{ rows: 120_000 }, 100, 'shard 5 to s3, copying: copy rows, 120,000 rows'],
  [
    { rows: 100_000, rowsTotal: 300_000, bytes: 25_165_824 },
    2_000,
    'shard 5 to s3, copying: copy rows, 100,000 of about 300,000 rows, 50,000/s, 4 s left, 24.0 MB',
  ],
  [{ rows: 400, rowsTotal: 300 }, 1_000, 'shard 5 to s3, copying: copy rows, 400 rows, 400/s'],
  [
    { step: 'catch up', lagBytes: 2_048, retainedBytes: 1_048_576 },
    0,
    'shard 5 to s3, copying: catch up, 2.0 kB behind, 1.0 MB of WAL kept',
  ],
  [{ step: 'switched', pauseMs: 21.5 }, 0, 'shard 5 to s3, copying: switched, pause 21.5 ms'],
])('the progress %j after %d ms reads well', (more, elapsedMs, line) => {
  expect(describeMoveProgress({ ...event, ...more }, elapsedMs)).toBe(line)
})
