import { isHypervaultError, type HypervaultError } from '../../errors.ts'

/**
 * The reads of one scan or count on one server: a few begin at once, the others in the order of their coming. When the
 * server cannot be reached, all that come later fail by the same error: each of them could wait as long as the first.
 */
export class ServerLine {
  readonly #max: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  #failure: Error | undefined

  constructor(max: number) {
    this.#max = max
  }

  /** Does `work` when it is its turn. Rejects with what it rejects with. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Bound: each read before it has a bound, and hands its turn on.
    if (this.#running === this.#max) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running += 1
    try {
      if (this.#failure !== undefined) throw this.#failure
      return await work()
    } catch (error) {
      if (isUnreachable(error)) this.#failure = error
      throw error
    } finally {
      this.#leave()
    }
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}

/** The lines of one scan or count, by server. */
export class ServerLines {
  readonly #max: number
  readonly #lines = new Map<string, ServerLine>()

  /** @param max most reads in flight on one server */
  constructor(max: number) {
    this.#max = max
  }

  at(serverId: string): ServerLine {
    const line = this.#lines.get(serverId) ?? new ServerLine(this.#max)
    this.#lines.set(serverId, line)
    return line
  }
}

function isUnreachable(error: unknown): error is HypervaultError {
  const codes = ['HV_CONNECT_FAILED', 'HV_SERVER_UNUSABLE', 'HV_POOL_TIMEOUT'] as const
  return codes.some((code) => isHypervaultError(error, code))
}
