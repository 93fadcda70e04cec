import { init, use, type ComposeOption } from 'echarts/core'
import { BarChart, type BarSeriesOption } from 'echarts/charts'
import {
  GridComponent,
  LegendComponent,
  TitleComponent,
  type GridComponentOption,
  type LegendComponentOption,
  type TitleComponentOption,
} from 'echarts/components'
import { SVGRenderer } from 'echarts/renderers'
import { rate } from '../measure/metric.ts'
import { callContenders } from '../workloads/calls.ts'
import type { BenchDocument, SeriesReport, WorkloadReport } from './document.ts'
import { formatNumber } from './numbers.ts'

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

type ChartOption = ComposeOption<BarSeriesOption | GridComponentOption | LegendComponentOption | TitleComponentOption>

/** Size in pixels: as wide as a page of documentation. */
const WIDTH = 900
const PANEL_HEIGHT = 300
const HEAD_HEIGHT = 96

/** The product stands out; the others keep their colours from chart to chart. */
const colours = ['#d9480f', '#f4a67f', '#adb5bd', '#495057', '#4c78a8', '#72b7b2']

/** Draws the rates of the calls as SVG, a panel for each of get and put; undefined if neither was measured. */
export function drawChart(document: BenchDocument): string | undefined {
  const panels = document.workloads.filter(({ name }) => name === 'get' || name === 'put')
  if (panels.length === 0) return undefined
  const chart = init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH,
    height: HEAD_HEIGHT + panels.length * PANEL_HEIGHT,
  })
  try {
    chart.setOption(chartOption(document, panels))
    return `${chart.renderToSVGString()}\n`
  } finally {
    chart.dispose()
  }
}

function chartOption(document: BenchDocument, panels: readonly WorkloadReport[]): ChartOption {
  const present = callContenders.filter((name) =>
    panels.some(({ series }) => series.some((each) => each.contender === name)),
  )
  return {
    animation: false,
    backgroundColor: '#ffffff',
    color: present.map((name) => colours[callContenders.indexOf(name)] ?? '#000000'),
    title: [headOf(document), ...panels.map(panelTitle)],
    legend: { top: 52, itemGap: 26, data: present },
    grid: panels.map((_, index) => ({ left: 76, right: 24, top: topOf(index) + 34, height: PANEL_HEIGHT - 74 })),
    xAxis: panels.map((panel, index) => ({ type: 'category', gridIndex: index, data: casesOf(panel) })),
    yAxis: panels.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      axisLabel: { formatter: (value: number) => value.toLocaleString('en-US') },
    })),
    series: panels.flatMap((panel, index) => present.map((name) => barsOf(panel, name, index))),
  }
}

function headOf({ date, machine, server, versions, settings }: BenchDocument): TitleComponentOption {
  const where = `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.os}`
  const what = `PostgreSQL ${server.version} on the same machine, Node.js ${versions['Node.js'] ?? ''}`
  return {
    left: 'center',
    text: 'Calls per second by independent callers',
    subtext: `${where}; ${what}; median of ${settings.rounds} rounds`,
    top: 4,
  }
}

function panelTitle({ title }: WorkloadReport, index: number): TitleComponentOption {
  return { text: title, left: 24, top: topOf(index), textStyle: { fontSize: 14 } }
}

function barsOf(panel: WorkloadReport, contender: string, index: number): BarSeriesOption {
  const data = casesOf(panel).map((name) => findRate(panel, name, contender)?.median ?? null)
  return {
    type: 'bar',
    name: contender,
    xAxisIndex: index,
    yAxisIndex: index,
    barGap: '5%',
    data,
    label: {
      show: true,
      position: 'top',
      fontSize: 9,
      formatter: ({ value }) => (typeof value === 'number' ? shorten(value) : ''),
    },
  }
}

function casesOf({ series }: WorkloadReport): string[] {
  return [...new Set(series.map((each) => each.case))]
}

function findRate({ series }: WorkloadReport, name: string, contender: string): SeriesReport | undefined {
  return series.find((each) => each.case === name && each.contender === contender && each.metric === rate.name)
}

function topOf(panel: number): number {
  return HEAD_HEIGHT + panel * PANEL_HEIGHT
}

/** `171k`: what fits above a bar. */
function shorten(value: number): string {
  return value < 1000 ? formatNumber(value) : `${formatNumber(value / 1000)}k`
}
