import type { Datastore } from '../../datastore/datastore.ts'
import type { ExportChoices } from '../../transfer/export/export-options.ts'
import type { Output } from '../terminal/output.ts'
import { TransferProgress } from './transfer-progress.ts'

/**
 * Shows how far an export is. How much there is in all is counted meanwhile, because only that tells the time left; until
 * then it says how much is written.
 */
export class ExportProgressLine implements Disposable {
  readonly #progress: TransferProgress | undefined
  readonly #counting = new AbortController()

  /** @param isStream whether the entities go to standard output: a line among them on a terminal would be in the way */
  constructor(db: Datastore, choices: Pick<ExportChoices, 'form' | 'kinds'>, output: Output, isStream: boolean) {
    if (isStream && output.stdout.isTTY === true) return
    this.#progress = new TransferProgress(output, undefined)
    if (output.isInteractive) void this.#count(db, choices)
  }

  show(entities: number): void {
    this.#progress?.show({ rows: entities, done: entities })
  }

  /** Takes the line away. Safe twice. */
  [Symbol.dispose](): void {
    this.#counting.abort()
    this.#progress?.[Symbol.dispose]()
  }

  async #count(db: Datastore, { form, kinds }: Pick<ExportChoices, 'form' | 'kinds'>): Promise<void> {
    const { shards, createdAfter, createdBefore } = form
    const query = {
      ...(shards && { shards }),
      ...(createdAfter && { createdAfter }),
      ...(createdBefore && { createdBefore }),
      onShardError: 'skip',
      signal: this.#counting.signal,
    } as const
    try {
      let total = 0
      for (const kind of kinds ?? [undefined])
        total += (await db.count({ ...query, ...(kind !== undefined && { kind }) })).total
      this.#progress?.know({ total, unit: 'rows' })
    } catch {
      // Whatever keeps the count from its end, the export will tell of, or can do without.
    }
  }
}
