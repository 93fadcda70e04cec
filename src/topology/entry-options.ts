import { assertInteger } from '../arguments/arguments.ts'

/*
 * The names in an entry of `connections`. What `pg` takes for a connection is passed on as it is. What only a pool of `pg`
 * takes, or nobody, would be ignored without a word, so it is refused by its name, with what to write in its place.
 */

/** Most connections that a pool can be told to have. */
const MAX_POOL = 10_000

/** What a client of `pg` takes. */
const forPg: ReadonlySet<string> = new Set([
  ...['host', 'port', 'user', 'password', 'database', 'connectionString', 'ssl', 'sslnegotiation', 'options'],
  ...['application_name', 'fallback_application_name', 'client_encoding', 'replication', 'types', 'binary', 'stream'],
  ...['statement_timeout', 'query_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'pipeline'],
  ...['keepAlive', 'keepAliveInitialDelayMillis', 'enableChannelBinding', 'scramMaxIterations', 'Promise'],
])

const ofDatastore = (name: string): string => `give ${name} beside connections, where it is for all servers`
const LIFETIME = 'give lifetimeMs beside connections, the age at which a connection is replaced'

/** What others take, and what to write here. */
const remedies: Readonly<Record<string, string>> = {
  max: 'write poolMax',
  min: 'leave it out, because connections are opened when they are needed',
  idleTimeoutMillis: 'give idleTimeoutMs beside connections',
  connectionTimeoutMillis: 'give connectTimeoutMs and poolBlockTimeoutMs beside connections',
  maxUses: LIFETIME,
  maxLifetimeSeconds: LIFETIME,
  allowExitOnIdle: 'leave it out, and call disconnect() before the program ends',
  onConnect: 'set what sessions begin with by options, such as "-c work_mem=64MB"',
  verify: 'leave it out: connections that are dead are not lent',
  Client: 'leave it out',
  connection: 'give stream, which is called for each connection',
  log: 'give logger beside connections',
  url: 'write connectionString',
  uri: 'write connectionString',
  username: 'write user',
  pass: 'write password',
  dbname: 'write database',
  sslmode: 'write ssl, or connectionString with ?sslmode=',
  shard: 'write shards',
  serverId: 'write id',
  name: 'write id',
  ...Object.fromEntries(
    [
      ...['poolBlockTimeoutMs', 'connectTimeoutMs', 'idleTimeoutMs', 'lifetimeMs', 'statementTimeoutMs', 'batch'],
      ...['disconnectTimeoutMs', 'prepare', 'preparedMax', 'epochMs', 'migrations', 'logger', 'spread'],
    ].map((name) => [name, ofDatastore(name)]),
  ),
}

/**
 * Throws unless everything in an entry is honoured.
 *
 * @param where names the entry in messages
 * @throws TypeError that names the option, and says what to write in its place
 */
export function assertEntryOptions(entry: object, where: string): void {
  const unknown = Object.entries(entry).flatMap(([name, value]) => (value === undefined || isKnown(name) ? [] : [name]))
  if (unknown.length === 0) return
  throw new TypeError(`${where} has ${unknown.map(describe).join('; ')}`)
}

/** The `poolMax` of an entry. Throws TypeError or RangeError. */
export function parseEntryPoolMax(poolMax: unknown, where: string): number | undefined {
  if (poolMax === undefined) return undefined
  assertInteger(`${where}.poolMax`, poolMax, 1, MAX_POOL)
  return poolMax
}

function isKnown(name: string): boolean {
  return forPg.has(name) || name === 'shards' || name === 'id' || name === 'poolMax'
}

function describe(name: string): string {
  const remedy = Object.hasOwn(remedies, name) ? remedies[name] : undefined
  if (remedy !== undefined) return `${name}, which is not an option here: ${remedy}`
  return `unknown option ${name}: it takes shards, id, poolMax, and what pg takes (${[...forPg].join(', ')})`
}
