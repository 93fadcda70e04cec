import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { root, runPage } from './run-page.ts'

const folder = new URL('docs/guide/', root)
const hasProgram = (page: string): boolean => readFileSync(new URL(page, folder), 'utf8').includes('```ts\n')
const pages = readdirSync(folder).filter(hasProgram)

it('the guide has pages', () => {
  expect(pages).toContain('finding.md')
})

it.each(pages)('does what %s of the guide says', (page) => runPage(new URL(page, folder), 3))
