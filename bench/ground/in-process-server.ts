import { Duplex } from 'node:stream'

/*
 * Answers gets from inside this process: a stream that pg takes for its socket. It has every row it is asked for, always
 * the same one, so what a call costs is what the client costs (and this, which is the same for all).
 *
 * It understands what is sent for a get and not more: each message is a letter, a length that counts itself, and content.
 * It answers in the next turn of the event loop, as a socket does.
 */

const SYNC_REPLY = message('Z', Buffer.from('I'))
const COMPLETE_REPLY = message('C', Buffer.from('SELECT 1\0'))
const WELCOME = Buffer.concat([message('R', int32(0)), message('K', Buffer.alloc(8)), SYNC_REPLY])

/** Columns of the row with their type oids: bigint, smallint, text in the place of hstore, timestamp. */
const COLUMNS = [
  ['id', 20],
  ['type', 21],
  ['body', 25],
  ['updated', 1114],
] as const

const BIGINT_ARRAY_HEADER = 20
const NULL = int32(-1)

/** One connection to the server that is not there. */
export class InProcessServer extends Duplex {
  readonly #rowEnd: Buffer
  #rest: Buffer = Buffer.alloc(0)
  #isGreeted = false
  #ids: Buffer[] = []
  #replies: Buffer[] = []

  /** @param body hstore text of the entity that it has under every key */
  constructor(body: string) {
    super()
    this.#rowEnd = Buffer.concat([field(Buffer.from('1')), field(Buffer.from(body)), NULL])
  }

  connect(): void {
    setImmediate(() => this.emit('connect'))
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {
    // Pushed when there is something.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    this.#readMessages()
    done()
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  #readMessages(): void {
    if (!this.#isGreeted) this.#greet()
    while (this.#rest.length >= 5) {
      const end = 1 + this.#rest.readInt32BE(1)
      if (this.#rest.length < end) return
      this.#answer(String.fromCharCode(this.#rest[0] ?? 0), this.#rest.subarray(5, end))
      this.#rest = this.#rest.subarray(end)
    }
  }

  /** The first message has no letter. */
  #greet(): void {
    if (this.#rest.length < 4 || this.#rest.length < this.#rest.readInt32BE(0)) return
    this.#rest = this.#rest.subarray(this.#rest.readInt32BE(0))
    this.#isGreeted = true
    this.#reply(WELCOME)
  }

  #answer(letter: string, content: Buffer): void {
    if (letter === 'P') this.#reply(message('1', Buffer.alloc(0)))
    else if (letter === 'B') this.#bind(content)
    else if (letter === 'D') this.#reply(ROW_DESCRIPTION)
    else if (letter === 'E') this.#reply(...this.#ids.map((id) => this.#row(id)), COMPLETE_REPLY)
    else if (letter === 'Q') this.#reply(COMPLETE_REPLY, SYNC_REPLY)
    else if (letter === 'S') this.#reply(SYNC_REPLY)
  }

  #bind(content: Buffer): void {
    this.#ids = readIds(content)
    this.#reply(message('2', Buffer.alloc(0)))
  }

  #row(id: Buffer): Buffer {
    return message('D', Buffer.concat([int16(COLUMNS.length), field(id), this.#rowEnd]))
  }

  #reply(...replies: Buffer[]): void {
    if (this.#replies.length === 0) setImmediate(() => this.#flush())
    this.#replies.push(...replies)
  }

  #flush(): void {
    const replies = Buffer.concat(this.#replies)
    this.#replies = []
    if (!this.readableEnded) this.push(replies)
  }
}

/** The ids that a Bind message asks for, as text: its one value is an id, or an array of ids in binary form. */
function readIds(content: Buffer): Buffer[] {
  const portalEnd = content.indexOf(0) + 1
  const formatsAt = content.indexOf(0, portalEnd) + 1
  const formats = content.readInt16BE(formatsAt)
  const isBinary = formats > 0 && content.readInt16BE(formatsAt + 2) === 1
  const lengthAt = formatsAt + 2 + formats * 2 + 2
  const value = content.subarray(lengthAt + 4, lengthAt + 4 + content.readInt32BE(lengthAt))
  return isBinary ? readArray(value) : [value]
}

function readArray(array: Buffer): Buffer[] {
  const ids: Buffer[] = []
  for (let at = BIGINT_ARRAY_HEADER + 4; at < array.length; at += 12) {
    ids.push(Buffer.from(String(array.readBigInt64BE(at))))
  }
  return ids
}

const ROW_DESCRIPTION = message('T', Buffer.concat([int16(COLUMNS.length), ...COLUMNS.map(describeColumn)]))

function describeColumn([name, oid]: (typeof COLUMNS)[number]): Buffer {
  return Buffer.concat([Buffer.from(`${name}\0`), int32(0), int16(0), int32(oid), int16(-1), int32(-1), int16(0)])
}

function message(letter: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(letter), int32(content.length + 4), content])
}

function field(content: Buffer): Buffer {
  return Buffer.concat([int32(content.length), content])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
