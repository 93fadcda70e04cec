import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Client } from 'pg'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'

/*
 * A pooler in transaction mode, as small as it can be: a client gets a connection of the server with the first message of
 * a transaction, and loses it with the `ReadyForQuery` that says that no transaction is open. It knows nothing of prepared
 * statements, and lets everybody in. Who waits is served in turn, and by the server connection that has rested longest, so
 * that clients change connections all the time.
 */

/** A running pooler. */
export interface TransactionPooler extends AsyncDisposable {
  readonly port: number
  /** How often a server connection was given to a client, and how many clients each of them has served. */
  readonly figures: { assignments: number; readonly clientsOf: readonly ReadonlySet<object>[] }
}

/** A piece of the protocol: a letter, and the whole message with it. */
interface Message {
  readonly type: string
  readonly bytes: Buffer
  /** Of a `ReadyForQuery`. */
  readonly status: string
}

/** Cuts a stream of bytes into messages. */
class MessageReader {
  #rest = Buffer.alloc(0)

  /** Messages of a started session begin with a letter; the first ones of a client do not. */
  read(chunk: Buffer, headLength: 0 | 1): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const messages: Message[] = []
    for (;;) {
      if (this.#rest.length < headLength + 4) return messages
      const length = headLength + this.#rest.readUInt32BE(headLength)
      if (this.#rest.length < length) return messages
      const bytes = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      const type = headLength === 1 ? String.fromCharCode(bytes[0] as number) : ''
      messages.push({ type, bytes, status: String.fromCharCode(bytes.at(-1) as number) })
      if (headLength === 0) return messages
    }
  }

  /** What is left when the first message is read. */
  takeRest(): Buffer {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest
  }
}

class Backend {
  readonly clients = new Set<object>()
  readonly #stream: Socket
  client: PooledClient | undefined

  constructor(stream: Socket, onMessage: (backend: Backend, message: Message) => void) {
    this.#stream = stream
    const reader = new MessageReader()
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk, 1)) onMessage(this, message)
    })
  }

  write(bytes: Buffer): void {
    this.#stream.write(bytes)
  }

  end(): void {
    this.#stream.destroy()
  }
}

class PooledClient {
  readonly socket: Socket
  /** Messages that wait for a server connection. */
  waiting: Buffer[] = []
  /** Answers that are owed: one `ReadyForQuery` for each query and each sync. */
  owed = 0
  backend: Backend | undefined
  #isStarted = false
  readonly #reader = new MessageReader()
  readonly #onMessage: (client: PooledClient, message: Message) => void

  readonly #refused: string | undefined

  constructor(
    socket: Socket,
    onMessage: (client: PooledClient, message: Message) => void,
    refused: string | undefined,
  ) {
    this.socket = socket
    this.#refused = refused
    this.#onMessage = onMessage
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
  }

  #read(chunk: Buffer): void {
    if (this.#isStarted) {
      for (const message of this.#reader.read(chunk, 1)) this.#onMessage(this, message)
      return
    }
    const [first] = this.#reader.read(chunk, 0)
    if (first === undefined) return
    if (this.#refused !== undefined && first.bytes.includes(`\0${this.#refused}\0`)) {
      return void this.socket.end(refusalOf(this.#refused))
    }
    this.#isStarted = true
    this.socket.write(greeting)
    this.#read(this.#reader.takeRest())
  }
}

/** AuthenticationOk, BackendKeyData, ReadyForQuery. */
const greeting = Buffer.from([
  ...[0x52, 0, 0, 0, 8, 0, 0, 0, 0],
  ...[0x4b, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1],
  ...[0x5a, 0, 0, 0, 5, 0x49],
])

/** What PgBouncer says to a parameter of the start-up message that it does not know. */
function refusalOf(parameter: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C08P01\0Munsupported startup parameter: ${parameter}\0\0`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(fields.length + 4)
  return Buffer.concat([Buffer.from('E'), length, fields])
}

/**
 * Starts a pooler with this many connections to a server.
 *
 * @param refused a parameter of the start-up message that it does not take
 */
export async function startTransactionPooler(
  target: ServerConnection,
  size: number,
  refused?: string,
): Promise<TransactionPooler> {
  const clients = new Set<PooledClient>()
  const waiting: PooledClient[] = []
  const figures = { assignments: 0 }

  const backends = await Promise.all(
    Array.from({ length: size }, async () => new Backend(await connect(target), answer)),
  )
  const free = [...backends]

  function answer(backend: Backend, { type, bytes, status }: Message): void {
    const { client } = backend
    if (client === undefined) return
    client.socket.write(bytes)
    if (type !== 'Z') return
    client.owed -= 1
    if (status !== 'I' || client.owed > 0) return
    client.backend = undefined
    backend.client = undefined
    free.push(backend)
    assign()
  }

  function ask(client: PooledClient, { type, bytes }: Message): void {
    if (type === 'X') return void client.socket.end()
    if (type === 'Q' || type === 'S') client.owed += 1
    if (client.backend !== undefined) return client.backend.write(bytes)
    if (client.waiting.length === 0) waiting.push(client)
    client.waiting.push(bytes)
    assign()
  }

  function assign(): void {
    while (free.length > 0 && waiting.length > 0) {
      const [backend, client] = [free.shift() as Backend, waiting.shift() as PooledClient]
      figures.assignments += 1
      backend.clients.add(client)
      backend.client = client
      client.backend = backend
      for (const bytes of client.waiting.splice(0)) backend.write(bytes)
    }
  }

  const server = createServer({ noDelay: true }, (socket) => {
    const client = new PooledClient(socket, ask, refused)
    clients.add(client)
    socket.on('error', () => undefined)
    socket.on('close', () => clients.delete(client))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    figures: Object.assign(figures, { clientsOf: backends.map(({ clients: served }) => served) }),
    [Symbol.asyncDispose]: async () => {
      for (const { socket } of clients) socket.destroy()
      for (const backend of backends) backend.end()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The socket of a session that is open: pg knows how to log in, and is not asked for more. */
async function connect(target: ServerConnection): Promise<Socket> {
  const client = new Client(target)
  await client.connect()
  const stream = client.connection.stream as Socket
  stream.removeAllListeners().setNoDelay()
  return stream
}
