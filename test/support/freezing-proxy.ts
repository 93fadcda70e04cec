import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A port that leads to a server, until the link is frozen: connections stand, and not a byte comes through. */
export interface FreezingProxy extends AsyncDisposable {
  readonly port: number
  /** From now on nothing passes, in neither direction, on old connections and new ones. */
  freeze(): void
  /**
   * The connection that sends this text next freezes, before the text has come through or behind it; the others pass, or
   * freeze with it.
   */
  freezeAnswerTo(text: string, where: 'before' | 'behind', who?: 'one' | 'all'): void
  /** What was held up passes on, and later bytes with it. */
  thaw(): void
}

/** Starts a proxy before a server on this machine. */
export async function startFreezingProxy(target: { host: string; port: number }): Promise<FreezingProxy> {
  const links = new Set<Link>()
  let isFrozen = false
  let wanted: { text: string; where: 'before' | 'behind'; who: 'one' | 'all' } | undefined
  const freezeAll = (): void => {
    isFrozen = true
    for (const link of links) link.freeze()
  }
  const server = createServer((client) => {
    const link: Link = new Link(client, connect(target), isFrozen, (bytes, pass) => {
      if (wanted === undefined || !bytes.includes(wanted.text)) return pass()
      const { where, who } = wanted
      wanted = undefined
      if (where === 'behind') pass()
      if (who === 'all') freezeAll()
      else link.freeze()
      if (where === 'before') pass()
    })
    links.add(link)
    client.on('close', () => links.delete(link))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    freeze: freezeAll,
    freezeAnswerTo: (text, where, who = 'one') => (wanted = { text, where, who }),
    thaw: () => {
      isFrozen = false
      for (const link of links) link.thaw()
    },
    [Symbol.asyncDispose]: async () => {
      for (const link of links) link.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

class Link {
  readonly #client: Socket
  readonly #upstream: Socket
  #held: (() => void)[] | undefined

  constructor(client: Socket, upstream: Socket, isFrozen: boolean, onSent: (bytes: Buffer, pass: () => void) => void) {
    this.#client = client
    this.#upstream = upstream
    this.#held = isFrozen ? [] : undefined
    client.on('data', (bytes) => onSent(bytes, () => this.#pass(() => upstream.write(bytes))))
    upstream.on('data', (bytes) => this.#pass(() => client.write(bytes)))
    client.on('error', () => undefined).on('close', () => upstream.destroy())
    upstream.on('error', () => undefined).on('close', () => this.#pass(() => client.destroy()))
  }

  freeze(): void {
    this.#held ??= []
  }

  thaw(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const pass of held) pass()
  }

  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }

  #pass(send: () => void): void {
    if (this.#held === undefined) send()
    else this.#held.push(send)
  }
}
