import type { Scan } from '../scan.ts'
import type { CheckedExport, ExportProgress, ExportTarget } from './export-options.ts'
import { formatOf } from './formats.ts'
import { openOutput, orAbort, type Output } from './output.ts'

/** Writes the pages of a scan one after the other; the next is not begun before the target has taken the one before. */
export async function runExport(target: ExportTarget, options: CheckedExport, scan: Scan): Promise<ExportProgress> {
  const output = openOutput(target)
  try {
    return await writePages(output, options, scan)
  } finally {
    output.release()
  }
}

async function writePages(output: Output, options: CheckedExport, scan: Scan): Promise<ExportProgress> {
  const format = formatOf(options)
  let progress: ExportProgress | undefined
  for await (const { entities, ...page } of scan.pages()) {
    const bytes = Buffer.from(format(entities, progress === undefined))
    if (bytes.length > 0) await orAbort(output.write(bytes), options.scan.signal)
    progress = {
      entities: (progress?.entities ?? 0) + entities.length,
      bytes: (progress?.bytes ?? 0) + bytes.length,
      ...page,
    }
    options.onProgress?.(progress)
  }
  if (progress === undefined) throw new Error('bug: a scan without a page')
  return progress
}
