import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { root, runPage } from './run-page.ts'

const folder = new URL('docs/guide/', root)
/** Pages that are only about things outside this process, such as bundlers: they have no `ts` block to run. */
const withoutProgram = ['runtimes.md']
const pages = readdirSync(folder).filter((page) => !withoutProgram.includes(page))

it('the guide has pages', () => {
  expect(pages).toContain('finding.md')
})

it.each(pages)('does what %s of the guide says', (page) => runPage(new URL(page, folder), 3))
