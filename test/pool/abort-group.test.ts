import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { AbortGroup } from '../../src/pool/abort-group.ts'

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
