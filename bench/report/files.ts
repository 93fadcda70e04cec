import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawChart } from './chart.ts'
import type { BenchDocument } from './document.ts'

/** Where results are kept. Git ignores those whose name begins with `run-`. */
const folder = fileURLToPath(new URL('../results/', import.meta.url))

/** Name of the files of a run that was given none: `run-2026-11-24T21-36-55`. */
export function nameRun(date: string): string {
  return `run-${date.slice(0, 19).replaceAll(':', '-')}`
}

/** Writes the document, and the chart if there is something to draw, and gives the paths. */
export async function saveResults(document: BenchDocument, name: string): Promise<string[]> {
  const chart = drawChart(document)
  const files = [[`${name}.json`, `${JSON.stringify(document, undefined, 2)}\n`]]
  if (chart !== undefined) files.push([`${name}.svg`, chart])
  await mkdir(folder, { recursive: true })
  return Promise.all(
    files.map(async ([file = '', content = '']) => {
      const path = join(folder, file)
      await writeFile(path, content)
      return path
    }),
  )
}
