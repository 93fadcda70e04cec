import type { SourceRecord } from './source-record.ts'

/** Finds the records in the text of an input. */
export interface RecordReader {
  /**
   * Takes the next bytes, and appends the records that end in them. When it throws, those that were appended stand.
   *
   * @throws MalformedInput when nobody can tell where the next record begins
   */
  push(bytes: Buffer, into: SourceRecord[]): void | Promise<void>
  /** There are no more bytes. Does and throws what `push` does. */
  end(into: SourceRecord[]): void | Promise<void>
}

/** The records of an input in their order, some at a time. Throws what the reader throws, after all that come before. */
export async function* readRecords(
  text: AsyncIterable<Buffer>,
  reader: RecordReader,
): AsyncGenerator<SourceRecord[], void, undefined> {
  for await (const bytes of text) yield* collect((into) => reader.push(bytes, into))
  yield* collect((into) => reader.end(into))
}

async function* collect(
  read: (into: SourceRecord[]) => void | Promise<void>,
): AsyncGenerator<SourceRecord[], void, undefined> {
  const records: SourceRecord[] = []
  const failure = await attempt(async () => read(records))
  if (records.length > 0) yield records
  if (failure !== undefined) throw failure.error
}

async function attempt(work: () => Promise<void>): Promise<{ error: unknown } | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return { error }
  }
}
