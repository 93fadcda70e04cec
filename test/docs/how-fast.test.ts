import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { formatNumber } from '../../bench/report/numbers.ts'
import type { BenchDocument } from '../../bench/report/document.ts'
import { root } from './run-page.ts'

const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8')

const page = 'docs/performance.md'

it('the page on performance shows the rates of the kept run, with its date and machine', async () => {
  const document = JSON.parse(await read('bench/results/reference.json')) as BenchDocument
  const text = await read(page)
  const rows = [...text.matchAll(/^\| ((get|put), .* in flight) \| (.*) \|$/gm)]
  expect(rows).toHaveLength(8)
  for (const [, name, verb, cells = ''] of rows) {
    const series = document.workloads.find((workload) => workload.name === verb)?.series ?? []
    const rates = ['hypervault', 'pg.Pool, prepared', 'postgres.js'].map((contender) =>
      series.find((each) => each.case === name && each.contender === contender && each.metric === 'rate'),
    )
    expect(cells.split(' | ')).toEqual(rates.map((each) => formatNumber(each?.median ?? NaN)))
  }
  expect(text).toContain(document.date.slice(0, 10))
  expect(text).toContain(document.machine.cpu)
})

it('the page on performance shows the chart of that run', async () => {
  const [, path = ''] = /!\[[^\]]+\]\(..\/(bench\/results\/[\w-]+\.svg)\)/.exec(await read(page)) ?? []
  expect(await read(path)).toMatch(/^<svg /)
})
