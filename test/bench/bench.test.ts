import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { BenchDocument } from '../../bench/report/document.ts'
import { inRoot } from '../../scripts/house/repository.ts'

/** Runs the bench as a process of its own; rejects with its exit code and output if it fails. */
function runBench(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...args], { cwd: inRoot() })
}

it('measures on real servers, prints one document, and keeps it', async () => {
  const name = `run-test-${process.pid}`
  const file = inRoot('bench', 'results', `${name}.json`)
  const args = ['--smoke', '--rounds', '1', '--only', 'load,find,scan,routing,move,migrate', '--json', '--save', name]
  try {
    const { stdout, stderr } = await runBench(args)
    const document = JSON.parse(stdout) as BenchDocument
    expect(document.workloads.map((workload) => workload.name)).toEqual([
      'routing',
      'load',
      'find',
      'scan',
      'move',
      'migrate',
    ])
    const series = document.workloads.slice(0, 4).flatMap((workload) => workload.series)
    expect(series.every(({ samples }) => samples.length === 1 && samples[0]! > 0)).toBe(true)
    expect(document.workloads[1]?.goals[0]).toMatchObject({ what: 'load, keys returned', must: 0.5, aim: 0.9 })
    expect(document.workloads[5]?.series.every(({ samples }) => samples[0]! > 0)).toBe(true)
    const flaws = document.workloads[4]?.goals.find(({ what }) => what === 'writes lost or doubled')
    expect(flaws).toMatchObject({ value: { median: 0 }, must: 0 })
    expect(document.server.settings.fsync).toBe('off')
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(document)
    expect(stderr).toContain('load, keys returned')
  } finally {
    await rm(file, { force: true })
  }
})

it('says what is wrong with its arguments, and measures nothing', async () => {
  await expect(runBench(['--only', 'got'])).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('no workload "got": routing, get, put, load, find, scan, shards, move, migrate'),
  })
})
