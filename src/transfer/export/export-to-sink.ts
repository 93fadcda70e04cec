import type { Datastore } from '../../datastore/datastore.ts'
import type { ExportChoices, ExportReport } from './export-options.ts'
import { ExportParts } from './export-parts.ts'
import { startOf } from './export-state.ts'
import { PackedParts } from './packed-parts.ts'

/** Writes entities to a function, such as one that writes to standard output. Throws what `exportTo` throws. */
export async function exportToSink(
  db: Datastore,
  choices: ExportChoices,
  give: (bytes: Buffer) => Promise<void>,
): Promise<ExportReport> {
  const packed = new PackedParts(choices.isPacked, give)
  const parts = new ExportParts(db, choices, startOf(choices.kinds))
  await parts.write((page) => packed.write(page))
  await packed.flush()
  const { missingShards, place } = parts
  return { entities: place.entities, isResumed: false, missingShards }
}
