import { HypervaultError, isHypervaultError } from '../../errors.ts'
import type { FleetLink } from '../servers.ts'
import { estimateRows } from './copy-progress.ts'
import { decideCutover } from './decide-cutover.ts'
import type { MoveContext, MoveSight } from './move-context.ts'
import { readCopyProgress, readLag, readSubscription } from './replication-sql.ts'
import { assertAsRead } from './same-definition.ts'
import { assertSlot } from './slot-state.ts'
import { waitFor } from './wait.ts'

const POLL_MS = 20

/** How often it is looked, during a copy, whether the source has given its slot up. */
const SLOT_LOOK_MS = 500

/**
 * Looks at a subscription that found new errors, while its publisher answers, after which it is given up: it would try
 * again for ever. It tries every 5 s by default. A few come from what passes, such as a slot that still has its last reader.
 */
const MAX_ERRORS = 5

/** Waits until the rows that were there are at the target. Throws `HV_MOVE_STALLED`. */
export async function waitForCopy(context: MoveContext): Promise<void> {
  const { objects, target, move, signal } = context
  const { tables } = await context.definition()
  const rowsTotal = estimateRows(tables)
  const watch = new StallWatch(context)
  await target.withSession(
    (session) =>
      waitFor(
        async () => {
          const [state] = await session.read(readSubscription(objects.forward))
          const [copied] = await session.read(readCopyProgress(move.shardId))
          const [ready, all, errors] = (state ?? []).map(Number)
          await watch.assertSource()
          await watch.note(`${ready} ${copied?.join(' ')}`, Number(errors))
          context.tell({
            phase: 'copying',
            step: 'copy rows',
            rows: Number(copied?.[0]),
            rowsTotal,
            bytes: Number(copied?.[1]),
          })
          return all !== 0 && ready === all ? true : undefined
        },
        { signal, pauseMs: POLL_MS },
      ),
    signal,
  )
}

/** Waits until one side is hardly behind the other. Throws `HV_MOVE_STALLED`. */
export async function waitForCatchUp(context: MoveContext, publisher: FleetLink, slot: string): Promise<void> {
  const { limits, signal } = context
  const startedAt = performance.now()
  let least = Infinity
  let leastAt = startedAt
  await publisher.withSession(
    (session) =>
      waitFor(
        async () => {
          await assertSlot(session, context, slot)
          const [row] = await session.read(readLag(slot))
          const retainedBytes = toNumber(row?.[1])
          // Without a reader nothing is known: it may have fallen behind by as much as the slot retains.
          const lagBytes = row?.[2] === 't' ? toNumber(row[0]) : undefined
          context.tell({
            phase: 'catching-up',
            step: 'catch up',
            ...(lagBytes !== undefined && { lagBytes }),
            ...(retainedBytes !== undefined && { retainedBytes }),
          })
          if (lagBytes !== undefined && lagBytes < least) [least, leastAt] = [lagBytes, performance.now()]
          const waitedMs = performance.now() - leastAt
          const decision = decideCutover(
            { lagBytes, waitedMs },
            { maxLagBytes: limits.maxLagBytes, timeoutMs: limits.stallTimeoutMs },
          )
          if (decision.action === 'abort') throw stalled(context, describeLag(lagBytes))
          return decision.action === 'go' ? true : undefined
        },
        { signal, pauseMs: POLL_MS },
      ),
    signal,
  )
}

/**
 * Notices that nothing changes any more, or that errors come again and again. Those that were there before, and those
 * while the publisher is down, do not count: it is waited for as long as for anything else.
 */
class StallWatch {
  readonly #context: MoveContext
  #last = ''
  #changedAt = performance.now()
  #known: number | undefined
  #counted = 0
  #lookedAt = performance.now()

  constructor(context: MoveContext) {
    this.#context = context
  }

  /** Looks from time to time whether the source still keeps the changes. A source that is down is waited for. */
  async assertSource(): Promise<void> {
    const { source, objects } = this.#context
    if (performance.now() - this.#lookedAt < SLOT_LOOK_MS) return
    this.#lookedAt = performance.now()
    const look = source.withSession((session) => assertSlot(session, this.#context, objects.forward))
    await look.catch((error: unknown) => {
      if (isHypervaultError(error, 'HV_MOVE_SLOT_LOST')) throw error
    })
  }

  async note(state: string, errors: number): Promise<void> {
    await this.#count(errors)
    if (this.#counted >= MAX_ERRORS) throw stalled(this.#context, 'its subscription fails repeatedly')
    if (state !== this.#last) [this.#last, this.#changedAt] = [state, performance.now()]
    if (performance.now() - this.#changedAt > this.#context.limits.stallTimeoutMs) {
      throw stalled(this.#context, 'no more rows arrived')
    }
  }

  async #count(errors: number): Promise<void> {
    const hasMore = errors > (this.#known ?? errors)
    this.#known = errors
    if (!hasMore) return
    // Each table has a worker with errors of its own: what befalls them all at once is one.
    this.#counted = (await answers(this.#context.source)) ? this.#counted + 1 : 0
    if (this.#counted > 0) await assertAsRead(this.#context)
  }
}

/** Whether a server answers now. */
async function answers(link: FleetLink): Promise<boolean> {
  return await link
    .withSession((session) => session.read({ text: 'select 1' }))
    .then(
      () => true,
      () => false,
    )
}

function describeLag(lagBytes: number | undefined): string {
  return lagBytes === undefined ? 'its stream is not being read' : `it is ${lagBytes} bytes behind`
}

/** The error of a stream that brings nothing any more. */
export function stalled({ move, target, limits }: MoveSight, why: string): HypervaultError<'HV_MOVE_STALLED'> {
  const message = `move ${move.moveId} of shard ${move.shardId} is making no progress: ${why} (check the log of server ${target.serverId})`
  const details = { moveId: move.moveId, shardId: move.shardId, timeoutMs: limits.stallTimeoutMs }
  return new HypervaultError('HV_MOVE_STALLED', message, details)
}

function toNumber(text: string | null | undefined): number | undefined {
  return text == null ? undefined : Number(text)
}
