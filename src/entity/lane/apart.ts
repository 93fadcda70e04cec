import { isHypervaultError } from '../../errors.ts'
import type { Channel, FlightOutcome, FlightTerms } from '../../pool/channel.ts'
import { overdueError } from '../../shard/statement-error.ts'
import { HeldBack } from './held-back.ts'
import type { LaneSite } from './lane-site.ts'
import type { Operation } from './operation.ts'

/** A statement that was cancelled. */
export type Interruption = Extract<FlightOutcome, { kind: 'interrupted' }>

/** What a lane does for its operations that are apart. */
export interface ApartWork<Input, Output, Cargo> {
  /** The entity that an input changes, if only one statement at a time may do so. */
  entityOf(input: Input): bigint | undefined
  /** Sends one by itself; gives what cancelled it, if it was. Never rejects. */
  fly(
    channel: Channel,
    operation: Operation<Input, Output, Cargo>,
    terms: FlightTerms,
  ): Promise<Interruption | undefined>
  /** Takes operations back into the lane, behind those that came back before. */
  comeBack(operations: readonly Operation<Input, Output, Cargo>[]): void
  /** Whether an operation needs nothing any more; rejects it if it has waited too long for a connection. */
  isOver(operation: Operation<Input, Output, Cargo>): boolean
}

/**
 * How long a statement may keep others waiting before it is taken apart. Too short takes apart what is only slow, too
 * long makes those wait who share it. While taking apart turns out to have been in vain, it grows.
 */
const PATIENCE_MS = 150
const MAX_PATIENCE_MS = 2_400

/** The part of the time for a statement that patience may take at most. */
const PATIENCE_SHARE = 0.25

/** Until when an operation is tried, and what cancelled it last. */
interface Trial {
  readonly endsAt: number
  cause: unknown
}

/** The operations of a lane that are apart, and those that are held back for them. */
export class Apart<Input, Output, Cargo> {
  /** Set while nothing of the lane has got through since a statement was taken apart. */
  isSuspect = false
  readonly heldBack = new HeldBack<Operation<Input, Output, Cargo>>()
  readonly #site: LaneSite
  readonly #work: ApartWork<Input, Output, Cargo>
  #patienceMs = PATIENCE_MS

  constructor(site: LaneSite, work: ApartWork<Input, Output, Cargo>) {
    this.#site = site
    this.#work = work
  }

  /** How long a statement of the lane may keep others waiting. */
  get patienceMs(): number {
    return Math.min(this.#patienceMs, PATIENCE_SHARE * this.#site.statementTimeoutMs)
  }

  /**
   * Takes a statement apart that was not executed. Each part has the time for a statement of its own; a single one has what is
   * left of it.
   */
  take(items: readonly Operation<Input, Output, Cargo>[], { cause, sentAt }: { cause: unknown; sentAt: number }): void {
    const now = performance.now()
    const endsAt = (items.length > 1 ? now : sentAt) + this.#site.statementTimeoutMs
    const parts = items.filter(({ isSettled }) => !isSettled)
    if (endsAt <= now) return parts.forEach((operation) => operation.reject(this.#overdue(cause)))
    this.isSuspect = true
    void Promise.all(parts.map((operation) => this.#send(operation, { cause, endsAt }))).then((wereQuick) => {
      const wasInVain = wereQuick.length > 1 && wereQuick.every(Boolean)
      this.#patienceMs = wasInVain ? Math.min(2 * this.#patienceMs, MAX_PATIENCE_MS) : PATIENCE_MS
    })
  }

  /** Sends operations by themselves at once. Resolves when each was tried. */
  async probe(items: readonly Operation<Input, Output, Cargo>[]): Promise<void> {
    const endsAt = performance.now() + this.#site.statementTimeoutMs
    await Promise.all(items.map((operation) => this.#send(operation, { cause: undefined, endsAt })))
  }

  /** Whether an operation has to wait for one on the same entity; then it is kept here. */
  holdsBack(operation: Operation<Input, Output, Cargo>): boolean {
    return !this.heldBack.isEmpty && this.heldBack.add(this.#work.entityOf(operation.input), operation)
  }

  /** Resolves when it was tried for the first time: to whether it was done at once. */
  #send(operation: Operation<Input, Output, Cargo>, trial: Trial): Promise<boolean> {
    const entity = this.#work.entityOf(operation.input)
    if (entity !== undefined) this.heldBack.begin(entity)
    // Bound: `endsAt`, after which the desk drops the job.
    return new Promise((tried) => {
      this.#site.apart.add({
        owner: this,
        endsAt: trial.endsAt,
        get isSettled() {
          return operation.isSettled
        },
        fly: async (channel, terms) => {
          const startedAt = performance.now()
          const interruption = await this.#work.fly(channel, operation, terms)
          trial.cause = interruption?.error
          tried(interruption === undefined && performance.now() - startedAt < PATIENCE_MS)
          return interruption === undefined ? 'ended' : 'blocked'
        },
        giveUp: () => operation.reject(this.#overdue(trial.cause)),
        strand: (error) => this.#strand(operation, error),
        left: (wasBlocked) => {
          tried(false)
          this.#letGo(entity, wasBlocked)
        },
      })
    })
  }

  /**
   * What was held back for an entity goes on: behind the one that was apart, if that came back to the lane; the first of it
   * apart as well, if the entity is still locked.
   */
  #letGo(entity: bigint | undefined, wasBlocked: boolean): void {
    const held = entity === undefined ? [] : this.heldBack.end(entity).filter(({ isSettled }) => !isSettled)
    const [first, ...others] = held
    if (first === undefined || !wasBlocked) return this.#work.comeBack(held)
    void this.probe([first])
    for (const operation of others) this.heldBack.add(entity, operation)
  }

  #strand(operation: Operation<Input, Output, Cargo>, error: unknown): void {
    if (isHypervaultError(error, 'HV_POOL_TIMEOUT')) this.#work.isOver(operation)
    else operation.reject(error)
  }

  #overdue(cause: unknown): unknown {
    const { shardId, pool, statementTimeoutMs } = this.#site
    return overdueError(cause, { serverId: pool.serverId, shardId, timeoutMs: statementTimeoutMs })
  }
}
