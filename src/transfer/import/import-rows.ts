import { assertKind } from '../../entity/rows/entity.ts'
import type { Body } from '../../hstore/body.ts'
import { MalformedInput } from '../input/malformed-input.ts'
import type { ReadMeter } from '../input/read-mark.ts'
import { RowProblem, type SourceRecord, type SourceRow } from '../input/source-record.ts'
import type { ImportState } from './import-state.ts'
import type { RejectsFile } from './rejects-file.ts'
import type { RowPlace } from './row-place.ts'
import type { RowRegister } from './row-register.ts'

/** What tells where a row goes. */
export interface RowTerms {
  readonly placeOf: (row: SourceRow) => RowPlace
  readonly kind: number | undefined
}

/** Where the rows of an import come from, and what is known of them. */
export interface RowGround {
  readonly records: AsyncIterable<readonly SourceRecord[]>
  readonly meter: ReadMeter
  readonly state: ImportState
  readonly rejects: RejectsFile
  readonly register: RowRegister
}

/** The bodies that an import has to store, in the order of the input. Rejects invalid rows, and skips those already stored. */
export class ImportRows implements AsyncIterable<Body> {
  readonly #terms: RowTerms
  readonly #ground: RowGround
  #record = 0
  #malformed: MalformedInput | undefined

  constructor(terms: RowTerms, ground: RowGround) {
    this.#terms = terms
    this.#ground = ground
  }

  /** How many records were taken. */
  get records(): number {
    return this.#record
  }

  /** Why the input could not be read to its end. The rows before end as if it had ended there, so that they are stored. */
  get malformed(): MalformedInput | undefined {
    return this.#malformed
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Body, void, undefined> {
    try {
      for await (const records of this.#ground.records) {
        for (const record of records) {
          const body = this.#take(record)
          if (body !== undefined) yield body
        }
        await this.#ground.rejects.makeRoom()
      }
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error
      this.#malformed = error
    }
  }

  #take(source: SourceRecord): Body | undefined {
    const { state, rejects, register, meter } = this.#ground
    const record = this.#record++
    if (record < state.place.head || rejects.has(record)) return undefined
    try {
      const row = source.parse()
      const { shardId, kept } = this.#terms.placeOf(row)
      const kind = this.#kindOf(row)
      if (record <= state.throughOf(shardId)) return undefined
      register.enter({ record, line: source.line, shardId, kind, bytes: meter.mark.bytes, kept })
      return row.body
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error
      rejects.add({ line: source.line, record: record + 1, reason: error.message, text: source.text })
      return undefined
    }
  }

  #kindOf(row: SourceRow): number {
    const kind = this.#terms.kind ?? row.entity?.kind
    if (kind === undefined) throw new RowProblem('it has no kind, and --kind was not given')
    try {
      assertKind(kind)
    } catch (error) {
      throw new RowProblem((error as Error).message)
    }
    return kind
  }
}
