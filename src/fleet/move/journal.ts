import type { Catalog } from '../../catalog/catalog.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { ShardLease } from '../lease.ts'
import type { MovePhase, MoveRecord, MoveReport } from './move-record.ts'

/*
 * What a move has done, in the catalog. A step is written down as begun before its first side effect and as done after
 * its last one; one that was begun and not done is done again, so every step can be repeated. An object is recorded for
 * clean-up before it is made. Everything is written under the lease: who lost it can write nothing.
 */

/** Sorts of objects that a move makes, in the order in which they are taken away. A session is known by its name. */
export const cleanupKinds = ['session', 'subscription', 'slot', 'publication', 'schema', 'fence', 'marker'] as const

/** Sort of an object that a move makes. */
export type CleanupKind = (typeof cleanupKinds)[number]

/** An object on a server that must be gone when the move is over. */
export interface Cleanup {
  readonly serverId: string
  readonly kind: CleanupKind
  readonly name: string
}

/** What happened in a move, for its history. */
export interface JournalEntry {
  readonly step: string
  readonly state: 'begun' | 'done'
  readonly at: string
}

/** The journal of one move. */
export class Journal {
  readonly moveId: number
  readonly #catalog: Catalog
  readonly #lease: ShardLease
  readonly #done = new Map<string, unknown>()
  #phase: MovePhase

  private constructor({ moveId, phase }: MoveRecord, catalog: Catalog, lease: ShardLease) {
    this.moveId = moveId
    this.#phase = phase
    this.#catalog = catalog
    this.#lease = lease
  }

  /** Opens the journal of a move, with what was done before. */
  static async open(move: MoveRecord, catalog: Catalog, lease: ShardLease): Promise<Journal> {
    const journal = new Journal(move, catalog, lease)
    for (const [step, result] of await readResults(catalog, move.moveId)) journal.#done.set(step, result)
    return journal
  }

  /** The phase that was entered last. */
  get phase(): MovePhase {
    return this.#phase
  }

  /** Throws `HV_LEASE_LOST` when another operator has taken over. */
  assertHeld(): Promise<void> {
    return this.#lease.assertHeld()
  }

  isDone(step: string): boolean {
    return this.#done.has(step)
  }

  /** What a step gave when it was done. */
  resultOf(step: string): unknown {
    return this.#done.get(step)
  }

  /** Knows of a step that was written down as done by the transaction of the switch. */
  adopt(step: string, result: unknown): void {
    this.#done.set(step, result)
  }

  /** Does a step unless it is done, and gives what it gave then. */
  async step<T>(step: string, work: () => Promise<T>): Promise<T> {
    if (this.#done.has(step)) return this.#done.get(step) as T
    await this.#write(step, 'begun', null)
    const result = await work()
    await this.#write(step, 'done', result ?? null)
    this.#done.set(step, result)
    return result
  }

  /** Records an object before it is made. */
  async record({ serverId, kind, name }: Cleanup): Promise<void> {
    await this.#change((session) =>
      session.read({
        text: [
          'insert into hypervault.cleanups (move_id, server_id, kind, name) values ($1, $2, $3, $4)',
          'on conflict (move_id, server_id, kind, name) do update set done_at = null',
        ].join('\n'),
        values: [String(this.moveId), serverId, kind, name],
      }),
    )
  }

  /** Whether an object is recorded, and not yet cleaned up. */
  async hasRecorded({ serverId, kind, name }: Cleanup): Promise<boolean> {
    const recorded = await this.listCleanups()
    return recorded.some((each) => each.serverId === serverId && each.kind === kind && each.name === name)
  }

  /** What is left to be cleaned up. */
  listCleanups(): Promise<Cleanup[]> {
    return this.#catalog.withSession((session) => listCleanupsOf(session, this.moveId))
  }

  /** The object is gone. */
  async strike(cleanup: Cleanup): Promise<void> {
    await this.#change((session) => strikeIn(session, this.moveId, cleanup))
  }

  /** Tells how far the move is. */
  async enter(phase: MovePhase): Promise<void> {
    const isOver = phase === 'completed' || phase === 'aborted' || phase === 'reversed'
    await this.#change((session) =>
      session.read({
        text: [
          'update hypervault.moves set phase = $2, is_over = $3, problem = null, changed_at = clock_timestamp()',
          'where move_id = $1',
        ].join('\n'),
        values: [String(this.moveId), phase, String(isOver)],
      }),
    )
    this.#phase = phase
  }

  /** The switch has written the phase in its own transaction. */
  noteEntered(phase: MovePhase): void {
    this.#phase = phase
  }

  async keepReport(report: MoveReport): Promise<void> {
    const text = 'update hypervault.moves set report = $2, changed_at = clock_timestamp() where move_id = $1'
    await this.#change((session) => session.read({ text, values: [String(this.moveId), JSON.stringify(report)] }))
  }

  async #write(step: string, state: 'begun' | 'done', details: unknown): Promise<void> {
    await this.#change((session) => writeStepIn(session, this.moveId, { step, state, details }))
  }

  #change<T>(work: (session: ServerSession) => Promise<T>): Promise<T> {
    return this.#catalog.withSession((session) =>
      session.transaction(['begin'], async () => {
        await this.#lease.assertHeldIn(session)
        return await work(session)
      }),
    )
  }
}

/** What the steps of a move that are done gave. */
export async function readResults(catalog: Catalog, moveId: number): Promise<ReadonlyMap<string, unknown>> {
  const text = "select step, details from hypervault.move_steps where move_id = $1 and state = 'done'"
  const rows = await catalog.withSession((session) => session.read({ text, values: [String(moveId)] }))
  return new Map(rows.map(([step, details]) => [step ?? '', JSON.parse(details ?? 'null') as unknown]))
}

/** What a move has left to be cleaned up. */
export async function listCleanupsOf(session: ServerSession, moveId: number): Promise<Cleanup[]> {
  const text = 'select server_id, kind, name from hypervault.cleanups where move_id = $1 and done_at is null'
  const rows = await session.read({ text, values: [String(moveId)] })
  return rows.map(([serverId, kind, name]) => ({
    serverId: serverId ?? '',
    kind: kind as CleanupKind,
    name: name ?? '',
  }))
}

/** Writes down what became of a step in a transaction of the catalog. */
async function writeStepIn(
  session: ServerSession,
  moveId: number,
  { step, state, details }: Pick<JournalEntry, 'step' | 'state'> & { readonly details: unknown },
): Promise<void> {
  await session.read({
    text: 'insert into hypervault.move_steps (move_id, step, state, details) values ($1, $2, $3, $4)',
    values: [String(moveId), step, state, JSON.stringify(details)],
  })
}

/** Strikes a cleanup off in a transaction of the catalog. */
async function strikeIn(session: ServerSession, moveId: number, { serverId, kind, name }: Cleanup): Promise<void> {
  await session.read({
    text: [
      'update hypervault.cleanups set done_at = clock_timestamp()',
      'where move_id = $1 and server_id = $2 and kind = $3 and name = $4',
    ].join('\n'),
    values: [String(moveId), serverId, kind, name],
  })
}

/** A catalog that does not answer is likely to be the problem itself: it is not waited for long. */
const PROBLEM_BOUNDS = { statementTimeoutMs: 2_000, connectionTimeoutMs: 2_000 }

/** Tells what went wrong, for whoever looks at the list of moves. Never throws: there is an error already. */
export async function tryKeepProblem(catalog: Catalog, moveId: number, problem: string): Promise<void> {
  const text = 'update hypervault.moves set problem = $2, changed_at = clock_timestamp() where move_id = $1'
  await catalog
    .withSession((session) => session.read({ text, values: [String(moveId), problem] }), PROBLEM_BOUNDS)
    .catch(() => undefined)
}
