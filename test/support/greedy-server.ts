import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** A server that wants the password in clear text, and keeps whatever is sent to it. */
export interface GreedyServer extends AsyncDisposable {
  readonly port: number
  readonly connections: number
  /** All that it has received, as text. */
  readonly received: string
}

const CLEAR_TEXT_REQUEST = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])

/** Starts one on the loopback interface. It refuses TLS, and lets nobody in. */
export async function startGreedyServer(): Promise<GreedyServer> {
  const sockets = new Set<Socket>()
  const chunks: Buffer[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (chunk[0] !== 0x70) socket.write(CLEAR_TEXT_REQUEST)
      else socket.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size
    },
    get received() {
      return Buffer.concat(chunks).toString('latin1')
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
