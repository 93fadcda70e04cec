import { expect, test } from 'vitest'
import { countTests, listSlowest } from '../../scripts/count-tests.mjs'

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

test('the slowest files are listed, slowest first, by their path in the repository', () => {
  const took = (name: string, ms: number) => ({
    ...file('passed'),
    name: `/a/test/b/test/${name}`,
    startTime: 5,
    endTime: 5 + ms,
  })
  const testResults = [took('a.test.ts', 900), took('b.test.ts', 12_340), took('c.test.ts', 1_000), file('failed')]
  expect(listSlowest({ testResults }, 2)).toEqual(['    12.3 s  test/b.test.ts', '     1.0 s  test/c.test.ts'])
  expect(listSlowest(undefined, 2)).toEqual([])
})
