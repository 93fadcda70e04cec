import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the ports that systems hand out to outgoing connections (from 32768 on Linux, from 49152 on macOS): a server that
// is down for a while would lose its port to one, and a client that knocks on it could even connect to itself.
const firstPort = 20_000
const endPort = 32_000

/** A port of 127.0.0.1 that nobody listens on at this moment; another process may take it before you do. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(firstPort, endPort)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port found between ${firstPort} and ${endPort}`)
}

function isFree(port: number): Promise<boolean> {
  // Bound: the system says at once whether the port is free.
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
