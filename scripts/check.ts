/*
 * `npm run check`: everything that must hold before a commit, apart from the tests. All steps run at once and each gives
 * one line, followed by what is wrong. `npm run check -- lint layers` runs only these. Exit code 1 if a step failed, 2 for
 * a name that is no step.
 */

import { checkExports } from './house/check-exports.ts'
import { checkLayers } from './house/check-layers.ts'
import { checkPackage } from './house/check-package.ts'
import { checkErrorPage } from './house/error-page.ts'
import { runInstalled } from './house/run-tool.ts'
import { describeVerdict, judgeStep, selectSteps, type Step } from './house/steps.ts'

const steps: readonly Step[] = [
  tool('types', 'typescript/bin/tsc', ['-p', '.']),
  tool('lint', 'eslint/bin/eslint.js', ['.', '--max-warnings', '0']),
  tool('format', 'prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', ...cache('format'), '.']),
  { name: 'layers', findProblems: async () => Promise.resolve(checkLayers()) },
  { name: 'exports', findProblems: async () => Promise.resolve(checkExports()) },
  { name: 'docs', findProblems: checkErrorPage },
  { name: 'publint', findProblems: checkPackage },
]

/** What is as it was need not be looked at again. The cache of types is named in tsconfig.json; lint has to look at all. */
function cache(name: string): string[] {
  return ['--cache', '--cache-strategy', 'content', '--cache-location', `node_modules/.cache/${name}`]
}

function tool(name: string, script: string, args: readonly string[]): Step {
  return { name, findProblems: async () => readProblems(await runInstalled(script, args)) }
}

function readProblems({ exitCode, output }: { exitCode: number; output: string }): string[] {
  return exitCode === 0 ? [] : [output.trim() || `exit code ${exitCode}`]
}

async function check(names: readonly string[]): Promise<number> {
  const verdicts = selectSteps(steps, names).map(judgeStep)
  let exitCode = 0
  for (const pending of verdicts) {
    const verdict = await pending
    process.stdout.write(`${describeVerdict(verdict)}\n`)
    if (verdict.problems.length > 0) exitCode = 1
  }
  return exitCode
}

try {
  process.exitCode = await check(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 2
}
