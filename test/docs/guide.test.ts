import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { root, runPage } from './run-page.ts'

const folder = new URL('docs/guide/', root)
const pages = readdirSync(folder)

it('the guide has pages', () => {
  expect(pages).toContain('finding.md')
})

it.each(pages)('does what %s of the guide says', (page) => runPage(new URL(page, folder), 3))
