import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { paint, hasColour, type Colour } from './colour.ts'
import type { Failure } from './failure.ts'
import { Redactor } from './redactor.ts'
import { WriteError } from './write-error.ts'

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly fd?: number }

/** Where things are printed: data on standard output, all else on standard error, without passwords. */
export class Output {
  readonly stdout: TerminalStream
  readonly stderr: TerminalStream
  /** What is taken out of everything on standard error. */
  readonly redactor = new Redactor()
  readonly #env: NodeJS.ProcessEnv
  readonly #closed = new AbortController()
  #writeFailure: Error | undefined

  constructor(stdout: TerminalStream, stderr: TerminalStream, env: NodeJS.ProcessEnv) {
    this.stdout = stdout
    this.stderr = stderr
    this.#env = env
    stdout.on('error', (error) => {
      if (!isReaderGone(error)) this.#writeFailure ??= error
      this.#closed.abort()
    })
    stderr.on('error', () => undefined)
  }

  /** Aborted once nobody reads standard output any more. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Throws a {@link WriteError} if standard output took not all of it, as on a full disk; a reader who is gone does not count. */
  async assertWritten(): Promise<void> {
    // The error of the last write comes in the next turn of the event loop.
    await setImmediate()
    if (this.#writeFailure !== undefined) throw new WriteError(this.#writeFailure)
  }

  /** True when a person looks at standard error: progress may redraw its line there. A terminal of no width has no line. */
  get isInteractive(): boolean {
    return (
      this.stderr.isTTY === true && this.stderr.columns !== 0 && this.#env.TERM !== 'dumb' && this.#env.CI === undefined
    )
  }

  /** True when standard error may have colours. */
  get hasColour(): boolean {
    return hasColour(this.stderr, this.#env)
  }

  /** Prints lines of data, and waits while the reader is slow. */
  async data(text: string): Promise<void> {
    if (this.#closed.signal.aborted || this.stdout.destroyed) return
    if (!this.stdout.write(`${text}\n`)) await this.#drained()
  }

  /** Prints data as it is, and waits while the reader is slow. */
  async bytes(data: Buffer): Promise<void> {
    if (this.#closed.signal.aborted || this.stdout.destroyed) return
    if (!this.stdout.write(data)) await this.#drained()
  }

  /** Prints one JSON document, laid out for reading. */
  json(value: unknown): Promise<void> {
    return this.data(JSON.stringify(value, undefined, 2))
  }

  /** Prints one JSON document on one line, as one of many. */
  jsonLine(value: unknown): Promise<void> {
    return this.data(JSON.stringify(value))
  }

  /** Says something to the person at the terminal. */
  talk(line: string): void {
    this.stderr.write(`${this.redactor.redact(line)}\n`)
  }

  /** Colours a part of a line for standard error. */
  paint(colour: Colour, text: string): string {
    return this.hasColour ? paint(colour, text) : text
  }

  /** Colours a part of a line for standard output. */
  paintData(colour: Colour, text: string): string {
    return hasColour(this.stdout, this.#env) ? paint(colour, text) : text
  }

  /** Prints why a command failed; for a program also as a document on standard output. */
  async fail({ code, what, hint, stack }: Failure, isJson: boolean): Promise<void> {
    this.problem(code.startsWith('HV_') ? `${what} (${code})` : what, hint)
    if (this.#env.HYPERVAULT_DEBUG === '1' && stack !== undefined) this.talk(stack)
    const message = this.redactor.redact(what)
    if (isJson) await this.json({ error: { code, message, hint: this.redactor.redact(hint) } })
  }

  /** Resolves as well once nobody reads any more: then there is nothing to wait for. */
  async #drained(): Promise<void> {
    // Bound: `#closed`, once nobody reads any more.
    await once(this.stdout, 'drain', { signal: this.#closed.signal }).catch(() => undefined)
  }

  /** One line that says what is wrong, and one that says what to do. */
  problem(what: string, hint?: string): void {
    this.talk(`${this.paint('red', 'hypervault:')} ${what}`)
    if (hint !== undefined) this.talk(`${this.paint('dim', '      hint:')} ${hint}`)
  }
}

/** Whoever closes a pipe or a socket early, as `head` does, wants no more of it. */
function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')
}
