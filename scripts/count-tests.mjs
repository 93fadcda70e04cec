/*
 * `node scripts/count-tests.mjs <report> <exit code of the tests> <failed steps>` prints `N passed, N failed` from a JSON
 * report of vitest and ends with exit code 1 if anything failed. Before that it lists the slowest test files. `.ci/run` uses it
 * for its last lines; it needs no dependency, so that it also works when the installation was what failed.
 */

import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** Test files that are listed as the slowest. */
const SHOWN = 10

/**
 * Counts tests. A file that failed without a failed test (it could not be loaded, or a hook failed) counts as one failed
 * test, and so does each failed step. What fails in no other visible way (an unhandled error, no test run at all) is one.
 *
 * @param {import('./count-tests.d.mts').TestReport | undefined} report
 * @param {{ exitCode: number, failedSteps: number }} run
 * @returns {{ passed: number, failed: number }}
 */
export function countTests(report, { exitCode, failedSteps }) {
  const files = report?.testResults ?? []
  const passed = sum(files.map((file) => count(file, 'passed')))
  const failed = sum(files.map(countFailed)) + failedSteps
  const isSilentFailure = failed === 0 && (exitCode !== 0 || passed === 0)
  return { passed, failed: isSilentFailure ? 1 : failed }
}

/**
 * Lists the test files that took longest, slowest first, as lines. A file that runs against several versions of PostgreSQL
 * has a line for each.
 *
 * @param {import('./count-tests.d.mts').TestReport | undefined} report
 * @param {number} count
 * @returns {string[]}
 */
export function listSlowest(report, count) {
  const timed = (report?.testResults ?? []).map((file) => ({ name: shortName(file.name), seconds: secondsOf(file) }))
  const slowest = timed.filter(({ seconds }) => seconds > 0).sort((a, b) => b.seconds - a.seconds)
  return slowest.slice(0, count).map(({ name, seconds }) => `${seconds.toFixed(1).padStart(8)} s  ${name}`)
}

function shortName(path = '') {
  return path.slice(path.lastIndexOf('/test/') + 1)
}

function secondsOf({ startTime = 0, endTime = 0 }) {
  return (endTime - startTime) / 1_000
}

function countFailed(file) {
  return count(file, 'failed') || (file.status === 'failed' ? 1 : 0)
}

function count(file, status) {
  return file.assertionResults.filter((test) => test.status === status).length
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function main([path, exitCode, failedSteps]) {
  const run = { exitCode: Number(exitCode), failedSteps: Number(failedSteps) }
  const report = readReport(path)
  const { passed, failed } = countTests(report, run)
  const slowest = listSlowest(report, SHOWN)
  if (slowest.length > 0) process.stdout.write(`Slowest test files:\n${slowest.join('\n')}\n\n`)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2))
