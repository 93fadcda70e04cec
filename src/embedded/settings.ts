/** Settings of postgresql.conf by name. */
export type Settings = Readonly<Record<string, string | number | boolean>>

/**
 * For servers that are thrown away: fsync is off. synchronous_commit stays on, because replication would lag by the
 * pause of the WAL writer otherwise. Slots, senders and workers are for many moves at once.
 */
const defaults: Settings = Object.freeze({
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  dynamic_shared_memory_type: 'mmap', // spares a small /dev/shm
  shared_buffers: '128MB',
  max_connections: 200,
  max_locks_per_transaction: 256,
  wal_level: 'logical',
  max_wal_senders: 96,
  max_replication_slots: 96,
  max_worker_processes: 128,
  max_logical_replication_workers: 96,
  max_sync_workers_per_subscription: 4,
  fsync: false,
  full_page_writes: false,
  synchronous_commit: true,
  autovacuum: true,
  jit: false,
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: false,
})

/** Before PostgreSQL 18 there were as many origins as slots. */
const since18: Settings = Object.freeze({ max_active_replication_origins: 96 })

/**
 * The text of the settings for a major version, those given before the defaults.
 *
 * @throws TypeError or RangeError for a setting that cannot be written, and for `port`, which is chosen by the server
 */
export function formatSettings(given: Settings = {}, version = 0): string {
  const lines = Object.entries({ ...defaults, ...(version >= 18 ? since18 : {}), ...given }).map(([name, value]) =>
    formatSetting(name, value),
  )
  return `${lines.join('\n')}\n`
}

function formatSetting(name: string, value: unknown): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) throw new RangeError(`settings has a name that is none: '${name}'`)
  if (name.toLowerCase() === 'port') throw new RangeError('settings.port cannot be given: a free port is chosen')
  return `${name} = '${formatValue(name, value)}'`
}

function formatValue(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new TypeError(`settings.${name} must be a string, a number or a boolean, got ${typeof value}`)
  const text = String(value)
  if (/[\0\n\r]/.test(text)) throw new RangeError(`settings.${name} must be one line`)
  return text.replaceAll("'", "''").replaceAll('\\', '\\\\')
}
