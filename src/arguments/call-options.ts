import { assertOptions } from './arguments.ts'

/*
 * The options that the public calls take. One that is misspelt would be ignored without a word, so each call looks at their
 * names before it sends anything. Calls that read numbers and switches as well have their own lists beside those
 * (`assertOptions`); here are all others.
 */

const signal = ['signal'] as const
const change = ['signal', 'isDryRun'] as const
const entity = ['signal', 'batch'] as const
const condition = ['ifUpdatedAt', 'ifBody'] as const
const reading = ['migrations', 'connectTimeoutMs', 'signal'] as const
const move = ['signal', 'onProgress', 'onCheckpoint', 'limits', 'maxPauseMs'] as const

const calls = {
  getConnection: signal,
  cursor: signal,
  put: entity,
  putMany: signal,
  findBatchEnd: signal,
  get: entity,
  getMany: entity,
  exists: entity,
  deleteMany: entity,
  find: signal,
  explain: signal,
  query: signal,
  'a change in a transaction': [...condition, 'ifKind'],
  'a change of a kind': [...condition, ...entity],
  'a change of a kind in a transaction': condition,
  loadConfig: ['folder', 'file'],
  remainingRows: ['unknown'],
  'indexes.list': ['signal', 'connectTimeoutMs'],
  'migrations.plan': [...reading, 'shardIds', 'to', 'breaking', 'canary', 'waves'],
  'migrations.status': reading,
  'migrations.assertAt': ['connectTimeoutMs', 'signal'],
  'Fleet.open': ['catalog', 'epochMs', 'secrets', 'logger', 'signal'],
  readFleet: signal,
  history: ['limit', 'signal'],
  addServer: ['shardIds', ...change],
  setServer: ['unset', ...change],
  importConnections: ['passwords', 'spread', ...change],
  planSpread: signal,
  applySpread: signal,
  drainServer: change,
  activateServer: change,
  removeServer: change,
  moveShard: ['to', 'throttleBytesPerSecond', ...move],
  planMove: ['to', 'throttleBytesPerSecond', 'signal'],
  resume: move,
  complete: move,
  reverse: move,
  abort: move,
  planEnd: signal,
  moves: ['isOver', 'signal'],
  observe: signal,
  doctor: ['fix', 'signal'],
  startCluster: ['servers', 'shards', 'serversWithShards', 'catalog', 'onProgress', 'version', 'settings', 'signal'],
  'EmbeddedServer.start': ['version', 'settings', 'signal'],
  startAgain: signal,
} as const satisfies Readonly<Record<string, readonly string[]>>

/** A call whose options are looked at here. */
export type CheckedCall = keyof typeof calls

/** Throws a TypeError unless the value is an object of only the options that a call takes. */
export function assertCallOptions(call: CheckedCall, options: unknown): void {
  assertOptions(call, options, calls[call])
}
