/** The first bytes of an input, and all of it. */
export interface Peeked {
  /** As many as were asked for, or more, unless the input is shorter. */
  readonly head: Buffer
  readonly all: AsyncGenerator<Buffer, void, undefined>
}

/** Looks at the first bytes of an input. Whoever does not read `all` to its end must call its `return()`. */
export async function peek(input: AsyncIterable<Buffer>, least: number): Promise<Peeked> {
  const chunks = input[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < least) {
    const next = await chunks.next()
    if (next.done === true) break
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  return { head, all: replay(head, chunks) }
}

async function* replay(head: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    if (head.length > 0) yield head
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
  } finally {
    await chunks.return?.()
  }
}
