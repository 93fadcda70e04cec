import { connect, createServer, type Server } from 'node:net'

/** Tells whether somebody listens on a port of this machine. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => socket.destroy() && resolve(true))
    socket.once('error', () => resolve(false))
  })
}

/** Takes a port, and never answers, until it is disposed of. */
export async function occupyPort(port = 0): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.resume())
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port }, resolve))
  return { port: portOf(server), [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
