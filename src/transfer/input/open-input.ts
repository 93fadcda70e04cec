import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { HypervaultError } from '../../errors.ts'
import { decodeInput, isPacked } from './decode-input.ts'
import { MalformedInput } from './malformed-input.ts'
import { peek } from './peeked.ts'
import { measure, ReadMeter, type ReadMark } from './read-mark.ts'

/** Bytes at the beginning by which an input is known again before anything of it is used. */
const START_BYTES = 64 * 1024

/** Where an input comes from. */
export interface InputSource {
  /** As a person knows it. */
  readonly name: string
  /** A file, which can be read again; undefined for a stream. */
  readonly path: string | undefined
  readonly stream: Readable
}

/** An input whose beginning has been looked at. */
export class OpenInput implements AsyncDisposable {
  readonly name: string
  readonly path: string | undefined
  /** The first bytes as they lie on the disk. */
  readonly #head: Buffer
  readonly #raw: AsyncGenerator<Buffer, void, undefined>
  readonly #stream: Readable
  readonly meter = new ReadMeter()

  private constructor({ name, path, stream }: InputSource, head: Buffer, raw: AsyncGenerator<Buffer, void, undefined>) {
    this.name = name
    this.path = path
    this.#stream = stream
    this.#head = head
    this.#raw = raw
  }

  static async open(source: InputSource): Promise<OpenInput> {
    const { head, all } = await peek(source.stream as AsyncIterable<Buffer>, START_BYTES)
    return new OpenInput(source, head, all)
  }

  /** The mark of its beginning. */
  get start(): ReadMark {
    const meter = new ReadMeter()
    meter.add(this.#head.subarray(0, START_BYTES))
    return meter.mark
  }

  /** The beginning of its text. Throws `HV_IMPORT_MALFORMED` when it cannot be read. */
  async readHead(): Promise<Buffer> {
    try {
      for await (const text of decodeInput(single(this.#head))) return text
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error
      const text = `${this.name}: ${error.message}; nothing is stored`
      throw new HypervaultError('HV_IMPORT_MALFORMED', text, { rows: 0, rejected: 0 })
    }
    return Buffer.alloc(0)
  }

  /** Throws what `changed` makes when the input does not go by the marks; of a stream only its first bytes are looked at. */
  async assertGoesBy(marks: readonly ReadMark[], changed: () => Error): Promise<void> {
    const seen = this.path === undefined ? marks.filter(({ bytes }) => bytes <= this.#head.length) : marks
    const { bytes = 0 } = seen.at(-1) ?? {}
    if (bytes > 0) await drain(measure(this.#readAgain(bytes), new ReadMeter(), seen, changed))
  }

  /** The mark of so many bytes of text; undefined for what is packed, and for a stream. */
  async markAt(bytes: number): Promise<ReadMark | undefined> {
    if (this.path === undefined || isPacked(this.#head)) return undefined
    const meter = new ReadMeter()
    if (bytes > 0) await drain(measure(this.#readAgain(bytes), meter, [], () => new Error('bug: no mark')))
    return meter.mark
  }

  /** Its text. Measures what is read; throws what `changed` makes when that does not go by the marks. */
  text(marks: readonly ReadMark[], changed: () => Error): AsyncGenerator<Buffer, void, undefined> {
    return decodeInput(measure(this.#raw, this.meter, marks, changed))
  }

  #readAgain(bytes: number): AsyncIterable<Buffer> {
    if (this.path === undefined) return single(this.#head.subarray(0, bytes))
    return createReadStream(this.path, { end: bytes - 1 }) as AsyncIterable<Buffer>
  }

  /** Lets go of the input, also while somebody waits for it. Safe twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy()
    return Promise.resolve()
  }
}

async function drain(input: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of input);
}

function single(bytes: Buffer): AsyncIterable<Buffer> {
  return Readable.from([bytes])
}
