import { describe, expect, it } from 'vitest'
import { WaitQueue, type WaitOptions } from '../../src/pool/wait-queue.ts'

const patient: WaitOptions = { timeoutMs: 60_000, onTimeout: () => new Error('late') }

describe('a queue of callers', () => {
  it('serves in the order of arrival', async () => {
    const queue = new WaitQueue<string>()
    const [first, second] = [queue.push(patient), queue.push(patient)]
    queue.first()?.resolve('a')
    queue.first()?.resolve('b')
    expect(await first.promise).toBe('a')
    expect(await second.promise).toBe('b')
    expect(queue.first()).toBeUndefined()
  })

  it('lets a caller go when its time is over, and says how long it waited', async () => {
    const queue = new WaitQueue()
    const waiter = queue.push({ timeoutMs: 5, onTimeout: (waitedMs) => new Error(`waited ${waitedMs > 0}`) })
    await expect(waiter.promise).rejects.toThrow('waited true')
    expect(queue.size).toBe(0)
  })

  it('lets a caller go with the reason of its signal', async () => {
    const queue = new WaitQueue()
    const controller = new AbortController()
    const waiter = queue.push({ ...patient, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiter.promise).rejects.toThrow('enough')
    expect(queue.size).toBe(0)
  })

  it('tells once that a caller has left, and ignores what comes afterwards', async () => {
    const left: unknown[] = []
    const queue = new WaitQueue<string>((waiter) => left.push(waiter))
    const controller = new AbortController()
    const waiter = queue.push({ ...patient, signal: controller.signal })
    waiter.resolve('a')
    waiter.resolve('b')
    waiter.reject(new Error('c'))
    controller.abort()
    expect(await waiter.promise).toBe('a')
    expect(left).toEqual([waiter])
  })

  it('rejects everybody at once', async () => {
    const queue = new WaitQueue()
    const waiters = [queue.push(patient), queue.push(patient)]
    queue.rejectAll(new Error('closed'))
    await expect(waiters[0]?.promise).rejects.toThrow('closed')
    await expect(waiters[1]?.promise).rejects.toThrow('closed')
    expect(queue.size).toBe(0)
  })
})
