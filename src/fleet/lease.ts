import type { Catalog } from '../catalog/catalog.ts'
import { currentActor } from '../catalog/change.ts'
import { HypervaultError } from '../errors.ts'
import { onAbort } from '../pool/abort-group.ts'
import type { Lease } from '../pool/lease.ts'
import { ServerSession } from '../server/server-session.ts'

/*
 * One operator at a time. A lease is an advisory lock of a session of the catalog: it ends with the operator, at once
 * when its process dies. Each lease takes a new, higher token. Before every side effect the token is compared with
 * the one in the catalog; who was cut off, and has a successor, finds a higher one, or cannot reach the catalog, and
 * stops in both cases.
 */

/** First half of the advisory locks: "hvls" in ASCII. */
const LEASE_CLASS = 0x68766c73

/** Longest time of one look at the catalog. */
const STATEMENT_MS = 10_000

/** Longest time for giving a lease up politely; the end of its session gives it up too. */
const UNLOCK_MS = 1_000

/** An operator that is cut off must not keep its lease until the server of the catalog gives up by itself, after hours. */
const keepAliveSql = ['set tcp_keepalives_idle = 10', 'set tcp_keepalives_interval = 5', 'set tcp_keepalives_count = 3']

/** The right to act on a shard. */
export class ShardLease implements AsyncDisposable {
  readonly token: number
  readonly #name: string
  readonly #catalog: Catalog
  readonly #connection: Lease

  /**
   * Takes the lease of a shard.
   *
   * @throws `HV_MOVE_LEASED` that names who has it
   */
  static async take(catalog: Catalog, shardId: number, signal?: AbortSignal): Promise<ShardLease> {
    // Bound: the signal, by under().
    const connection = await catalog.under(signal).acquire()
    const cut = (): void => {
      if (!connection.isReturned) connection.destroy()
    }
    using _ = onAbort(signal, cut)
    try {
      const session = new ServerSession(connection, STATEMENT_MS)
      await session.execute(keepAliveSql)
      const name = leaseName(shardId)
      const token = await tryTake(session, { shardId, name, holder: currentHolder() })
      if (token === undefined) throw await heldError(session, shardId, name)
      return new ShardLease(catalog, connection, name, token)
    } catch (error) {
      cut()
      signal?.throwIfAborted()
      throw error
    }
  }

  private constructor(catalog: Catalog, connection: Lease, name: string, token: number) {
    this.#catalog = catalog
    this.#connection = connection
    this.#name = name
    this.token = token
  }

  /** Throws `HV_LEASE_LOST` unless this lease is still the one in force. Asked before each side effect. */
  assertHeld(): Promise<void> {
    return this.#catalog.withSession((session) => this.assertHeldIn(session))
  }

  /** The same inside a transaction of the catalog, which no other lease can begin before it ends. */
  async assertHeldIn(session: ServerSession): Promise<void> {
    const [row] = await session.read({
      text: 'select token from hypervault.leases where name = $1 for share',
      values: [this.#name],
    })
    if (Number(row?.[0]) === this.token) return
    const message = `the lease ${this.#name} was taken over by another operator`
    throw new HypervaultError('HV_LEASE_LOST', message, { name: this.#name, token: this.token })
  }

  /** Gives the lease up. The session ends in any case, and the lock with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#connection.isReturned) return
    const session = new ServerSession(this.#connection, UNLOCK_MS)
    await session.read({ text: 'select pg_advisory_unlock_all()' }).catch(() => undefined)
    if (!this.#connection.isReturned) this.#connection.destroy()
  }
}

/** The shards that somebody works on now. */
export async function listLeasedShards(session: ServerSession): Promise<Set<number>> {
  const text = [
    `select objid from pg_locks where locktype = 'advisory' and classid = ${LEASE_CLASS} and granted`,
    'and database = (select oid from pg_database where datname = current_database())',
  ].join(' ')
  return new Set((await session.read({ text })).map(([shardId]) => Number(shardId)))
}

/** The error of whoever would take the lease of a shard now; undefined while it is free. */
export async function leasedError(
  session: ServerSession,
  shardId: number,
): Promise<HypervaultError<'HV_MOVE_LEASED'> | undefined> {
  if (!(await listLeasedShards(session)).has(shardId)) return undefined
  const text = 'select holder from hypervault.leases where name = $1'
  const [row] = await session.read({ text, values: [leaseName(shardId)] })
  return heldBy(shardId, row?.[0] ?? 'somebody else')
}

function heldBy(shardId: number, holder: string): HypervaultError<'HV_MOVE_LEASED'> {
  const message = `shard ${shardId} is being worked on by ${holder}`
  return new HypervaultError('HV_MOVE_LEASED', message, { shardId, holder })
}

/** Who holds a lease: a person, a machine and a process. */
export function currentHolder(): string {
  return `${currentActor()}, process ${process.pid}`
}

function leaseName(shardId: number): string {
  return `shard ${shardId}`
}

/** Locks, and raises the token in the same statement. */
async function tryTake(
  session: ServerSession,
  { shardId, name, holder }: { shardId: number; name: string; holder: string },
): Promise<number | undefined> {
  const [row] = await session.read({
    text: [
      `with attempt as materialized (select pg_try_advisory_lock(${LEASE_CLASS}, ${shardId}) as is_taken)`,
      'insert into hypervault.leases (name, holder, token, expires_at)',
      "select $1, $2, 1, 'infinity' from attempt where is_taken",
      'on conflict (name) do update set holder = excluded.holder, token = leases.token + 1',
      'returning token',
    ].join('\n'),
    values: [name, holder],
  })
  return row && Number(row[0])
}

/** Who took the lock a moment ago may not have committed its name yet: an upsert waits for that, a select would not. */
async function heldError(session: ServerSession, shardId: number, name: string): Promise<HypervaultError> {
  const text = [
    'insert into hypervault.leases (name, holder, token, expires_at)',
    "values ($1, 'somebody else', 0, 'infinity')",
    'on conflict (name) do update set holder = leases.holder',
    'returning holder',
  ].join('\n')
  const [row] = await session.read({ text, values: [name] })
  return heldBy(shardId, row?.[0] ?? '')
}
