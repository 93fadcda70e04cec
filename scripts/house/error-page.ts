import { readFile, writeFile } from 'node:fs/promises'
import { errorTable } from '../../src/errors.ts'
import { readDetailFields, renderErrorReference } from './error-reference.ts'
import { inRoot, readText } from './repository.ts'

const page = inRoot('docs', 'errors.md')

/** The page as it should be. */
export function renderErrorPage(): string {
  return renderErrorReference(errorTable, readDetailFields(readText('src', 'errors.ts')))
}

/** Writes `docs/errors.md`. */
export function writeErrorPage(): Promise<void> {
  return writeFile(page, renderErrorPage())
}

/** Compares `docs/errors.md` with the table of codes. */
export async function checkErrorPage(): Promise<string[]> {
  const written = await readFile(page, 'utf8').catch(() => '')
  return written === renderErrorPage() ? [] : ['docs/errors.md is not what src/errors.ts says: run npm run docs']
}
