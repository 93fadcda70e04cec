import { Connection } from 'pg'
import type { Lease } from './lease.ts'
import { isReady } from './pg-internals.ts'

/** Longest life of the connection that carries a cancel request. */
const TIMEOUT_MS = 5_000

/** What pg knows of a client and its types do not tell. */
interface Backend {
  readonly host: string
  readonly port: number
  readonly ssl: unknown
  readonly processID: number | null
  readonly secretKey: unknown
}

interface Canceller {
  connect(portOrPath: number | string, host?: string): void
  cancel(processID: number, secretKey: unknown): void
  requestSsl(): void
}

/**
 * Cuts a connection, and asks its server to end the statement that is in flight: a backend that waits for a lock or
 * works does not notice that nobody listens any more. Whether the server hears of it is not waited for.
 */
export function cutAndCancel(lease: Lease): void {
  if (!isReady(lease.client)) sendCancel(lease.client as unknown as Backend)
  lease.destroy()
}

/** Sends the cancel request of the protocol, on a connection of its own, which is what the protocol asks for. */
function sendCancel({ host, port, ssl, processID, secretKey }: Backend): void {
  if (processID == null) return
  const connection = new Connection({ ssl } as never)
  const canceller = connection as unknown as Canceller
  const timer = setTimeout(() => connection.stream.destroy(), TIMEOUT_MS).unref()
  connection.on('error', () => connection.stream.destroy())
  connection.once('end', () => clearTimeout(timer))
  const send = (): void => canceller.cancel(processID, secretKey)
  connection.once('connect', ssl ? () => canceller.requestSsl() : send)
  connection.once('sslconnect', send)
  if (host.startsWith('/')) canceller.connect(`${host}/.s.PGSQL.${port}`)
  else canceller.connect(port, host)
}
