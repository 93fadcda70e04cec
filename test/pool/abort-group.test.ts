import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { AbortGroup, onAbort } from '../../src/pool/abort-group.ts'

function member(): { reasons: unknown[]; reject: (reason: unknown) => void } {
  const reasons: unknown[] = []
  return { reasons, reject: (reason) => void reasons.push(reason) }
}

describe('all that waits under one signal', () => {
  it('ends with its reason, behind one listener', () => {
    const controller = new AbortController()
    const members = [member(), member(), member()]
    for (const each of members) AbortGroup.of(controller.signal).add(each)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    controller.abort('enough')
    expect(members.map(({ reasons }) => reasons)).toEqual([['enough'], ['enough'], ['enough']])
  })

  it('leaves no listener behind, and hears nothing once it has left', () => {
    const controller = new AbortController()
    const [gone, stays] = [member(), member()]
    const group = AbortGroup.of(controller.signal)
    group.add(gone)
    group.add(stays)
    group.delete(gone)
    group.delete(gone)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    group.delete(stays)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    group.add(stays)
    controller.abort('enough')
    expect([gone.reasons, stays.reasons]).toEqual([[], ['enough']])
  })
})

describe('what is to be done on an abort', () => {
  it('is done once, at once if it has happened, and not after it was disposed of', () => {
    const controller = new AbortController()
    const reasons: unknown[] = []
    const note = (reason: unknown): void => void reasons.push(reason)
    using _ = onAbort(controller.signal, note)
    onAbort(controller.signal, note)[Symbol.dispose]()
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    controller.abort('enough')
    expect(reasons).toEqual(['enough'])
    onAbort(controller.signal, note)[Symbol.dispose]()
    expect(reasons).toEqual(['enough', 'enough'])
    onAbort(undefined, note)[Symbol.dispose]()
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})
