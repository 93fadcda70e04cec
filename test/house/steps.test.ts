import { expect, test } from 'vitest'
import { describeVerdict, judgeStep, selectSteps } from '../../scripts/house/steps.ts'

const good = { name: 'good', findProblems: () => Promise.resolve([]) }
const bad = { name: 'bad', findProblems: () => Promise.resolve(['first\n  and more\n', 'second']) }

test('a step without problems is ok, in one line', async () => {
  expect(describeVerdict(await judgeStep(good))).toMatch(/^ok +good +\d+\.\d s$/)
})

test('a step with problems has failed and lists them below', async () => {
  const [verdict, ...problems] = describeVerdict(await judgeStep(bad)).split('\n')
  expect(verdict).toMatch(/^FAILED bad /)
  expect(problems.map((line) => line.slice(7))).toEqual(['first', '  and more', 'second'])
})

test('a step that throws has failed with its error', async () => {
  const broken = { name: 'broken', findProblems: () => Promise.reject(new Error('no such tool')) }
  expect((await judgeStep(broken)).problems).toEqual(['Error: no such tool'])
})

test('steps are chosen by name, all of them for none, and an unknown name is refused', () => {
  expect(selectSteps([good, bad], [])).toEqual([good, bad])
  expect(selectSteps([good, bad], ['bad'])).toEqual([bad])
  expect(() => selectSteps([good, bad], ['ugly'])).toThrow(new RangeError('no step ugly: there are good, bad'))
})
