import type { Datastore } from '../../datastore/datastore.ts'
import type { ExportSink } from '../../entity/scan/export/export-options.ts'
import type { MissingShard } from '../../entity/scan/scan-page.ts'
import type { ExportChoices } from './export-options.ts'
import type { ExportPart, ExportPlace, ReadPlace } from './export-state.ts'

/** Writes what is left of an export, one part after the other. */
export class ExportParts {
  readonly #db: Datastore
  readonly #choices: ExportChoices
  readonly #missing = new Map<number, MissingShard>()
  /** What could not be read now and is tried by whoever goes on. */
  readonly #behind: ExportPart[] = []
  #ahead: readonly ExportPart[]
  #entities: number
  #isEmpty: boolean
  #isAhead = false

  constructor(db: Datastore, choices: ExportChoices, { rest, entities, bytes }: ExportPlace) {
    this.#db = db
    this.#choices = choices
    this.#ahead = rest
    this.#entities = entities
    this.#isEmpty = bytes === 0
  }

  /** The sink has taken all pages before it, and unless {@link isAhead} no other. */
  get place(): ReadPlace {
    return { rest: [...this.#ahead, ...this.#behind], entities: this.#entities }
  }

  /** Whether the sink was given a page behind the place, and may have taken it. */
  get isAhead(): boolean {
    return this.#isAhead
  }

  /** The shards that were left out, ascending. */
  get missingShards(): readonly MissingShard[] {
    return [...this.#missing.values()].sort((a, b) => a.shardId - b.shardId)
  }

  /** Writes what is left. Throws what `exportTo` throws. */
  async write(sink: ExportSink): Promise<void> {
    for (let [part, ...others] = this.#ahead; part !== undefined; [part, ...others] = others) {
      const missed = await this.#writePart(sink, part, others)
      if (missed !== undefined) this.#behind.push(missed)
      this.#ahead = others
    }
  }

  /** Resolves to what is missing of the part, as a part. */
  async #writePart(
    sink: ExportSink,
    { kind, cursor }: ExportPart,
    others: readonly ExportPart[],
  ): Promise<ExportPart | undefined> {
    const { form, signal } = this.#choices
    const before = this.#entities
    const { cursor: end, missingShards } = await this.#db.exportTo((page) => this.#give(sink, page), {
      ...form,
      ...(kind !== null && { kind }),
      ...(cursor !== null && { after: cursor }),
      ...(form.format === 'csv' && { header: this.#isEmpty }),
      ...(signal && { signal }),
      onProgress: ({ entities, cursor: next }) => {
        this.#ahead = [{ kind, cursor: next }, ...others]
        this.#entities = before + entities
        this.#isAhead = false
        this.#choices.onProgress?.(this.#entities)
      },
    })
    for (const missing of missingShards) this.#missing.set(missing.shardId, missing)
    return missingShards.length === 0 ? undefined : { kind, cursor: end }
  }

  async #give(sink: ExportSink, page: Buffer): Promise<void> {
    this.#isEmpty = false
    this.#isAhead = true
    await sink(page)
  }
}
