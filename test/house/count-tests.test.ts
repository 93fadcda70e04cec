import { expect, test } from 'vitest'
import { countTests } from '../../scripts/count-tests.mjs'

const good = { exitCode: 0, failedSteps: 0 }

function file(status: string, ...tests: string[]) {
  return { status, assertionResults: tests.map((state) => ({ status: state })) }
}

test('passed and failed tests are counted over all files, skipped ones are neither', () => {
  const testResults = [file('passed', 'passed', 'skipped'), file('failed', 'passed', 'failed', 'failed')]
  expect(countTests({ testResults }, { exitCode: 1, failedSteps: 0 })).toEqual({ passed: 2, failed: 2 })
})

test('a file that could not be loaded counts as one failed test', () => {
  const testResults = [file('passed', 'passed'), file('failed')]
  expect(countTests({ testResults }, { exitCode: 1, failedSteps: 0 })).toEqual({ passed: 1, failed: 1 })
})

test('a file whose hook failed counts as one failed test although its tests passed', () => {
  expect(countTests({ testResults: [file('failed', 'passed', 'passed')] }, good)).toEqual({ passed: 2, failed: 1 })
})

test('a failed check or build counts as one failed test each', () => {
  const testResults = [file('passed', 'passed')]
  expect(countTests({ testResults }, { exitCode: 0, failedSteps: 2 })).toEqual({ passed: 1, failed: 2 })
})

test('an unhandled error, which only the exit code tells, counts as one failed test', () => {
  const testResults = [file('passed', 'passed')]
  expect(countTests({ testResults }, { exitCode: 1, failedSteps: 0 })).toEqual({ passed: 1, failed: 1 })
})

test('no report at all is a failure, whatever the exit code says', () => {
  expect(countTests(undefined, { exitCode: 1, failedSteps: 0 })).toEqual({ passed: 0, failed: 1 })
  expect(countTests(undefined, good)).toEqual({ passed: 0, failed: 1 })
  expect(countTests({ testResults: [] }, good)).toEqual({ passed: 0, failed: 1 })
})

test('a run in which everything passed has no failure', () => {
  expect(countTests({ testResults: [file('passed', 'passed', 'passed')] }, good)).toEqual({ passed: 2, failed: 0 })
})
