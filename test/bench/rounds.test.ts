import { expect, it } from 'vitest'
import { p50, rate } from '../../bench/measure/metric.ts'
import { driveCallers } from '../../bench/measure/callers.ts'
import { countSamples, runRounds, type Case } from '../../bench/measure/rounds.ts'

/** Cases whose contenders note their turn and read 1, 2, 3 … */
function makeCases(turns: string[]): Case[] {
  const contenderOf = (name: string, caseName: string): Case['contenders'][number] => {
    let samples = 0
    return {
      name,
      measure: () => {
        turns.push(`${caseName} ${name}`)
        return Promise.resolve(new Map([[rate, (samples += 1)]]))
      },
    }
  }
  return ['get', 'put'].map((name) => ({ name, contenders: ['a', 'b'].map((who) => contenderOf(who, name)) }))
}

const signal = new AbortController().signal

it('lets the contenders take turns, each round begun by another one', async () => {
  const turns: string[] = []
  await runRounds(makeCases(turns), { rounds: 1, signal, onSample: () => undefined })
  expect(turns).toEqual(['get a', 'get b', 'put a', 'put b', 'get b', 'get a', 'put b', 'put a'])
})

it('does not count the round that warms up', async () => {
  const cases = makeCases([])
  const done: number[] = []
  const series = await runRounds(cases, { rounds: 2, signal, onSample: (count) => done.push(count) })
  expect(series[0]).toEqual({ case: 'get', contender: 'a', metric: rate, samples: [2, 3] })
  expect(series.map((each) => `${each.case} ${each.contender}`)).toEqual(['get a', 'get b', 'put a', 'put b'])
  expect(done.at(-1)).toBe(countSamples(cases, 2))
})

it('stops at its signal, before the next sample', async () => {
  const controller = new AbortController()
  const turns: string[] = []
  const onSample = (): void => controller.abort(new Error('enough'))
  const run = runRounds(makeCases(turns), { rounds: 5, signal: controller.signal, onSample })
  await expect(run).rejects.toThrow('enough')
  expect(turns).toEqual(['get a'])
})

it('keeps so many calls in flight, and counts those that are answered', async () => {
  let [inFlight, most, calls] = [0, 0, 0]
  const reading = await driveCallers({ inFlight: 7, durationMs: 20 }, async () => {
    most = Math.max(most, (inFlight += 1))
    await new Promise((resolve) => setImmediate(resolve))
    inFlight -= 1
    calls += 1
  })
  expect([most, inFlight]).toEqual([7, 0])
  expect(reading.get(rate)).toBeLessThanOrEqual(calls * 50)
  expect(reading.get(p50)).toBeGreaterThan(0)
})

it('fails with the call that fails', async () => {
  const fail = (): Promise<never> => Promise.reject(new Error('no server'))
  await expect(driveCallers({ inFlight: 2, durationMs: 1_000 }, fail)).rejects.toThrow('no server')
})
