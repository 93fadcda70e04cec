import { readRecords, type RecordReader } from '../../src/transfer/input/record-reader.ts'
import { decodeInput } from '../../src/transfer/input/decode-input.ts'
import { RowProblem, type SourceRow } from '../../src/transfer/input/source-record.ts'
import { createReader, type InputFormat, type InputOptions } from '../../src/transfer/input/input-format.ts'

/** What became of a record: a row, or why it is none. */
export interface ReadRecord {
  readonly line: number
  readonly row?: SourceRow
  readonly problem?: string
  readonly text: string
}

/** What an input held, and why it could not be read to its end. */
export interface ReadInput {
  readonly records: readonly ReadRecord[]
  readonly error: unknown
}

const options: InputOptions = { delimiter: ',', columns: undefined, empty: 'null', nested: 'reject' }

/** Reads an input that comes in chunks of so many bytes. */
export async function readInput(
  format: InputFormat,
  input: Buffer | string,
  changes: Partial<InputOptions> = {},
  chunkBytes = Infinity,
): Promise<ReadInput> {
  const reader = createReader(format, { ...options, ...changes })
  const records: ReadRecord[] = []
  try {
    for await (const some of readChunks(reader, Buffer.from(input), chunkBytes)) records.push(...some)
  } catch (error) {
    return { records, error }
  }
  return { records, error: undefined }
}

async function* readChunks(reader: RecordReader, input: Buffer, chunkBytes: number): AsyncGenerator<ReadRecord[]> {
  for await (const records of readRecords(decodeInput(chunksOf(input, chunkBytes)), reader)) {
    yield records.map(({ line, text, parse }, index) => ({ line, text, ...attempt(() => parse.call(records[index])) }))
  }
}

function attempt(parse: () => SourceRow): { row: SourceRow } | { problem: string } {
  try {
    return { row: parse() }
  } catch (error) {
    if (error instanceof RowProblem) return { problem: error.message }
    throw error
  }
}

/** Pieces of so many bytes. */
export async function* chunksOf(input: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < input.length; at += chunkBytes) yield await Promise.resolve(input.subarray(at, at + chunkBytes))
}
