import { Connection } from 'pg'

/** Longest life of the connection that carries a cancel request. Too long holds the place of a connection that is cut. */
export const CANCEL_TIMEOUT_MS = 3_000

/** What pg knows of a client and its types do not tell. */
interface Backend {
  readonly host: string
  readonly port: number
  readonly ssl: unknown
  readonly sslNegotiation: unknown
  readonly processID: number | null
  readonly secretKey: unknown
}

interface Canceller {
  connect(portOrPath: number | string, host?: string): void
  cancel(processID: number, secretKey: unknown): void
  requestSsl(): void
}

/**
 * Asks the server to end the statement that is in flight on a connection, by the cancel request of the protocol: on a
 * connection of its own, which goes the way of the first. Resolves to true once the server has closed that connection, which
 * it does when the signal is sent, and to false when it has not done so within {@link CANCEL_TIMEOUT_MS}. Never rejects.
 */
export function requestCancel(client: object): Promise<boolean> {
  const backend = client as Backend
  if (backend.processID == null) return Promise.resolve(true)
  // Bound: CANCEL_TIMEOUT_MS.
  return new Promise((resolve) => {
    try {
      sendCancel(backend, resolve)
    } catch {
      resolve(true)
    }
  })
}

function sendCancel(
  { host, port, ssl, sslNegotiation, processID, secretKey }: Backend,
  onEnd: (wasTaken: boolean) => void,
): void {
  const connection = new Connection({ ssl, sslNegotiation } as never)
  const canceller = connection as unknown as Canceller
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    connection.stream.destroy()
  }, CANCEL_TIMEOUT_MS).unref()
  connection.on('error', () => connection.stream.destroy())
  connection.once('end', () => {
    clearTimeout(timer)
    onEnd(!isLate)
  })
  const send = (): void => canceller.cancel(processID as number, secretKey)
  // With `sslnegotiation=direct` pg begins the handshake itself.
  if (!ssl) connection.once('connect', send)
  else if (sslNegotiation !== 'direct') connection.once('connect', () => canceller.requestSsl())
  connection.once('sslconnect', send)
  if (host.startsWith('/')) canceller.connect(`${host}/.s.PGSQL.${port}`)
  else canceller.connect(port, host)
}
