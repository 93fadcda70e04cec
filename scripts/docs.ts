/*
 * `npm run docs` writes the pages that are generated from the source; with `--check` it compares them instead and ends
 * with exit code 1 if one is out of date.
 */

import { checkErrorPage, writeErrorPage } from './house/error-page.ts'

if (process.argv.includes('--check')) {
  const problems = await checkErrorPage()
  process.stderr.write(problems.map((problem) => `${problem}\n`).join(''))
  process.exitCode = problems.length > 0 ? 1 : 0
} else {
  await writeErrorPage()
}
