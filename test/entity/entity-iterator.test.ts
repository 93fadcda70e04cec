import { describe, expect, it } from 'vitest'
import type { Entity } from '../../src/index.ts'
import { EntityIterator } from '../../src/entity/scan/entity-iterator.ts'
import type { ScanPage } from '../../src/entity/scan/scan-page.ts'

const entityOf = (n: number): Entity => ({ kind: n }) as Entity

/** Pages of entities whose kinds count up, some of them empty. */
function iterate(sizes: readonly number[], failure?: Error): { entities: EntityIterator; isClosed: () => boolean } {
  let isClosed = false
  async function* pages(): AsyncGenerator<ScanPage, void, undefined> {
    let next = 0
    try {
      for (const size of sizes) {
        await Promise.resolve()
        const entities = Array.from({ length: size }, () => entityOf(next++))
        yield { entities, cursor: '', hasMore: true, missingShards: [] }
      }
      if (failure !== undefined) throw failure
    } finally {
      isClosed = true
    }
  }
  return { entities: new EntityIterator(pages()), isClosed: () => isClosed }
}

describe('the entities of a scan, one by one', () => {
  it('come in order from pages of any size', async () => {
    const kinds: number[] = []
    for await (const { kind } of iterate([3, 0, 1, 0, 0, 4, 0]).entities) kinds.push(kind)
    expect(kinds).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('that are asked for before the one before has come, come in order, and then the end', async () => {
    const { entities } = iterate([2, 0, 3])
    const results = await Promise.all(Array.from({ length: 7 }, () => entities.next()))
    expect(results.map(({ value }) => (value as Entity | undefined)?.kind)).toEqual([
      0,
      1,
      2,
      3,
      4,
      undefined,
      undefined,
    ])
    expect(results.map(({ done }) => done)).toEqual([false, false, false, false, false, true, true])
  })

  it('end when the loop is left, with what is being read', async () => {
    const { entities, isClosed } = iterate([2, 2])
    for await (const { kind } of entities) if (kind === 1) break
    expect(isClosed()).toBe(true)
    expect(await entities.next()).toEqual({ value: undefined, done: true })
  })

  it('come until the pages fail', async () => {
    const failure = new Error('no')
    const { entities } = iterate([2], failure)
    const ends = await Promise.allSettled([entities.next(), entities.next(), entities.next(), entities.next()])
    expect(ends.map((end) => (end.status === 'rejected' ? end.reason : end.value.value?.kind))).toEqual([
      0,
      1,
      failure,
      undefined,
    ])
  })
})
