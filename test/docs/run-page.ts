import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

/** The folder of the repository. */
export const root = new URL('../../', import.meta.url)

/** The folder below `test` that has the packages which a page imports. */
export function placeOf(page: URL): string {
  return page.pathname.endsWith('/other-tools.md') ? 'other-tools' : 'docs'
}

/** The contents of the code blocks of a page that are in a language, in their order. */
export async function blocksOf(page: URL, language: string): Promise<string[]> {
  const text = await readFile(page, 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')
}

/**
 * Runs the `ts` blocks of a page as one program, on the package's source. A line `expression // => value` becomes a
 * comparison, and there must be at least so many of them. Blocks in other languages are not run.
 */
export async function runPage(page: URL, minComparisons: number): Promise<void> {
  const { code, comparisons } = asTest((await blocksOf(page, 'ts')).join('\n'))
  expect(comparisons, 'comparisons on the page').toBeGreaterThanOrEqual(minComparisons)
  const folder = makeTemporaryFolder(
    basename(page.pathname, '.md'),
    fileURLToPath(new URL(`test/${placeOf(page)}`, root)),
  )
  try {
    const file = join(folder, 'page.ts')
    await writeFile(file, code)
    await import(pathToFileURL(file).href)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function asTest(page: string): { code: string; comparisons: number } {
  let comparisons = 0
  const code = page
    .replace(/^(.+?) \/\/ => (.+)$/gm, (_line, expression: string, expected: string) => {
      comparisons += 1
      return `expect(${expression}).toEqual(${expected})`
    })
    .replace(/'pg-hypervault(?:\/(\w+))?'/g, (_name, entry = 'index') => `'${new URL(`src/${entry}.ts`, root).href}'`)
  return { code: `import { expect } from 'vitest'\n${code}`, comparisons }
}
