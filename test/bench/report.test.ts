import { expect, it } from 'vitest'
import { parsePrivate } from '../../bench/ground/backend-memory.ts'
import { judgeGoals } from '../../bench/measure/goals.ts'
import { p50, rate } from '../../bench/measure/metric.ts'
import type { Series } from '../../bench/measure/rounds.ts'
import { parsePgbench } from '../../bench/peers/pgbench.ts'
import { parseTiming } from '../../bench/peers/psql.ts'
import { drawChart } from '../../bench/report/chart.ts'
import { reportWorkload, type BenchDocument } from '../../bench/report/document.ts'
import { nameRun } from '../../bench/report/files.ts'
import { showWorkload } from '../../bench/report/tables.ts'

const series: Series[] = [
  { case: 'get, 100 in flight', contender: 'hypervault', metric: rate, samples: [90_000, 100_000, 130_000] },
  { case: 'get, 100 in flight', contender: 'hypervault', metric: p50, samples: [1.234, 1, 2] },
  { case: 'get, 100 in flight', contender: 'pg.Pool, prepared', metric: rate, samples: [10_000, 10_000, 10_000] },
]
const [own, , peer] = series as [Series, Series, Series]
const outcomes = judgeGoals([{ what: 'get, 100 in flight', of: own, against: [peer], must: 8, aim: 15 }], series)
const workload = reportWorkload({ name: 'get', title: 'get: one entity', series, outcomes })

function documentOf(workloads: BenchDocument['workloads']): BenchDocument {
  return {
    date: '2026-11-24T21:36:55.123Z',
    durationSeconds: 1,
    machine: { cpu: 'A <fast> CPU', cores: 2, memoryGb: 24, os: 'linux 6' },
    versions: { 'Node.js': 'v20' },
    settings: { rounds: 3, sampleMs: 10, isSmoke: true, poolMax: 10 },
    server: { version: '18.4', settings: {} },
    workloads,
  }
}

it('shows a row for each contender, and each goal with its range', () => {
  expect(showWorkload(workload)).toBe(
    [
      'get: one entity',
      '',
      'case                contender          rate /s          p50 ms',
      'get, 100 in flight  hypervault         100,000  ± 30 %    1.23  ± 62 %',
      '                    pg.Pool, prepared   10,000',
      '',
      'goal                                         median (range)  must   aim',
      'get, 100 in flight  times pg.Pool, prepared     10 (9 … 13)   ≥ 8  ≥ 15  reached',
    ].join('\n'),
  )
})

it('draws a chart that says who, where and when, and is well-formed', () => {
  const chart = drawChart(documentOf([workload])) ?? ''
  expect(chart).toMatch(/^<svg [^]*<\/svg>\n$/)
  for (const text of [
    'hypervault',
    'pg.Pool, prepared',
    'get, 100 in flight',
    '100k',
    '2026-11-24',
    'A &lt;fast&gt; CPU',
  ]) {
    expect(chart).toContain(text)
  }
  expect(chart).not.toContain('postgres.js')
})

it('draws nothing when neither get nor put was measured', () => {
  expect(drawChart(documentOf([{ ...workload, name: 'load' }]))).toBeUndefined()
})

it('names the files of a run after its time', () => {
  expect(nameRun('2026-11-24T21:36:55.123Z')).toBe('run-2026-11-24T21-36-55')
})

it('reads what pgbench, psql and the kernel print', () => {
  const pgbench = 'latency average = 0.177 ms\ninitial connection time = 5.1 ms\ntps = 5640.123456 (without …)\n'
  expect(parsePgbench(pgbench)).toEqual({ tps: 5640.123456, latencyMs: 0.177 })
  expect(parseTiming('Timing is on.\nTime: 734.123 ms\n')).toBe(734.123)
  expect(parseTiming('Time: 61234.567 ms (01:01.235)\n')).toBe(61234.567)
  expect(parsePrivate('Private_Dirty:   4096 kB\nAnonymous:       3072 kB\nLazyFree: 0 kB\n')).toBe(3)
})

it('refuses what pgbench and psql never print', () => {
  expect(() => parsePgbench('pgbench: error')).toThrow('pgbench printed something else:\npgbench: error')
  expect(() => parseTiming('COPY 1')).toThrow('psql printed something else:\nCOPY 1')
})
