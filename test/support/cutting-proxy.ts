import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A port that leads to a server, and cuts connections as a network does. */
export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** The next client that sends this text is cut when the server answers it, and hears `lastWords` instead. */
  cutAnswerTo(text: string, lastWords?: Buffer): void
  /** Each client who is connected is cut when the server answers next, before it hears the answer. Tells how many. */
  cutNextAnswers(): number
  /** From the next cut on nobody gets through. */
  refuseAfterCut(): void
  /** Cuts all connections, and nobody gets through until {@link open}. */
  close(): Promise<void>
  open(): void
}

/** Starts a proxy before a server on this machine. */
export async function startCuttingProxy(target: { host: string; port: number }): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const cuts = new Set<() => void>()
  let text: string | undefined
  let words: Buffer = Buffer.alloc(0)
  let isLast = false
  let isRefusing = false
  const server = createServer((client) => {
    if (isRefusing) return client.destroy()
    const upstream = connect(target)
    let isCut = false
    const cut = (): void => void (isCut = true)
    cuts.add(cut)
    client.on('close', () => cuts.delete(cut))
    client.on('data', (bytes) => {
      if (text !== undefined && bytes.includes(text)) isCut = true
      if (isCut) text = undefined
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (!isCut) return void client.write(bytes)
      isRefusing = isLast
      client.end(words)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    cutAnswerTo: (wanted, lastWords = Buffer.alloc(0)) => {
      text = wanted
      words = lastWords
    },
    cutNextAnswers: () => {
      for (const cut of cuts) cut()
      return cuts.size
    },
    refuseAfterCut: () => (isLast = true),
    close: async () => {
      isRefusing = true
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy())))
    },
    open: () => (isRefusing = false),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
