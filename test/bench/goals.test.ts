import { expect, it } from 'vitest'
import { decideVerdict, judgeGoals, type Goal } from '../../bench/measure/goals.ts'
import { p50, rate } from '../../bench/measure/metric.ts'
import type { Series } from '../../bench/measure/rounds.ts'

const own: Series = { case: 'get', contender: 'hypervault', metric: rate, samples: [100, 20, 90] }
const peer: Series = { case: 'get', contender: 'pg', metric: rate, samples: [10, 2, 8] }
const goal: Goal = { what: 'get', of: own, against: [peer], must: 8, aim: 15 }

it('judges the median of the ratios of the rounds, and shows their range', () => {
  expect(judgeGoals([goal], [own, peer])).toEqual([
    {
      what: 'get',
      against: 'pg',
      value: { median: 10, low: 10, high: 11.25 },
      unit: 'times',
      better: 'more',
      must: 8,
      aim: 15,
      verdict: 'must',
    },
  ])
})

it('compares with the first peer that took part', () => {
  const absent = { case: 'get', contender: 'psql', metric: rate }
  const [outcome] = judgeGoals([{ ...goal, against: [absent, peer] }], [own, peer])
  expect(outcome?.against).toBe('pg')
})

it('names the case when a contender is compared with itself', () => {
  const few = { ...own, case: 'get, 8 shards' }
  const [outcome] = judgeGoals([{ ...goal, against: [few] }], [own, few])
  expect([outcome?.against, outcome?.value.median]).toEqual(['get, 8 shards', 1])
})

it('judges a plain number where there is nobody to compare with', () => {
  const [outcome] = judgeGoals([{ what: 'get', of: own, must: 50, aim: 90 }], [own])
  expect(outcome).toMatchObject({ against: undefined, unit: '/s', value: { median: 90 }, verdict: 'aim' })
})

it('leaves out a goal whose sides were not measured', () => {
  expect(judgeGoals([goal], [own])).toEqual([])
  expect(judgeGoals([goal], [peer])).toEqual([])
  expect(judgeGoals([{ ...goal, of: { ...own, metric: p50 } }], [own, peer])).toEqual([])
})

it.each([
  ['more', 15, 'aim'],
  ['more', 8, 'must'],
  ['more', 7.99, 'missed'],
] as const)('wants %s: %d is %s', (better, value, verdict) => {
  expect(decideVerdict(value, better, { must: 8, aim: 15 })).toBe(verdict)
})

it.each([
  ['less', 1, 'aim'],
  ['less', 1.1, 'must'],
  ['less', 1.11, 'missed'],
] as const)('wants %s: %d is %s', (better, value, verdict) => {
  expect(decideVerdict(value, better, { must: 1.1, aim: 1 })).toBe(verdict)
})
