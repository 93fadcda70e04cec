import { Client, type ClientConfig } from 'pg'
import { copyConfig } from '../topology/hidden-secrets.ts'
import { within } from '../pool/within.ts'
import { TOPOLOGY_CHANNEL } from './change.ts'

const CONNECT_TIMEOUT_MS = 5_000
const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 10_000

/**
 * Hears of changes: a connection of its own to the catalog, on LISTEN. When it ends, it is opened again, after pauses
 * that grow. What was missed meanwhile is asked for, because each new connection counts as a change.
 */
export class TopologyListener {
  readonly #clientConfig: ClientConfig
  readonly #onChange: () => void
  #client: Client | undefined
  #timer: NodeJS.Timeout | undefined
  #pauseMs = MIN_PAUSE_MS
  #isClosed = false

  constructor(clientConfig: ClientConfig, onChange: () => void) {
    this.#clientConfig = clientConfig
    this.#onChange = onChange
  }

  start(): void {
    void this.#connect()
  }

  /** Ends the connection, by force if the goodbye takes longer than `timeoutMs`, and does not come back. */
  async close({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    if (client === undefined) return
    // Closing is waited for: without this Node.js could end in the middle of it.
    keepRunning(client, true)
    await endClient(client, timeoutMs)
  }

  async #connect(): Promise<void> {
    const client = new Client(
      copyConfig(this.#clientConfig, { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true }),
    )
    this.#client = client
    client.on('error', () => undefined)
    client.once('end', () => this.#reconnect(client))
    client.on('notification', () => this.#onChange())
    try {
      await client.connect()
      await within(client.query(`listen ${TOPOLOGY_CHANNEL}`), listenBounds, () => new Error('no answer to listen'))
      keepRunning(client, false)
      this.#pauseMs = MIN_PAUSE_MS
      this.#onChange()
    } catch {
      client.connection.stream.destroy()
      this.#reconnect(client)
    }
  }

  #reconnect(client: Client): void {
    if (this.#isClosed || this.#client !== client) return
    this.#client = undefined
    this.#timer = setTimeout(() => void this.#connect(), this.#pauseMs * (0.5 + Math.random())).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
  }
}

const listenBounds = { signal: undefined, timeoutMs: CONNECT_TIMEOUT_MS }

/** A server that is frozen does not answer a goodbye either. */
async function endClient(client: Client, timeoutMs: number): Promise<void> {
  const end = client.end().catch(() => undefined)
  await within(end, { signal: undefined, timeoutMs }, () => void client.connection.stream.destroy())
}

/** Says whether a connection keeps Node.js running. Listening alone does not. */
function keepRunning(client: Client, isNeeded: boolean): void {
  const { ref, unref } = client.connection.stream as Partial<Record<'ref' | 'unref', () => void>>
  ;(isNeeded ? ref : unref)?.call(client.connection.stream)
}
