import { driveCallers } from '../measure/callers.ts'
import type { Goal } from '../measure/goals.ts'
import { p50, rate } from '../measure/metric.ts'
import { countSamples, runRounds, type Case, type Contender, type Reading, type Series } from '../measure/rounds.ts'
import type { EntityClient } from '../peers/entity-client.ts'
import { BATCHLESS, HYPERVAULT, HypervaultClient } from '../peers/hypervault.ts'
import { PG_PREPARED, PgPoolClient } from '../peers/pg-pool.ts'
import { PGBENCH } from '../peers/pgbench.ts'
import { PostgresJsClient } from '../peers/postgres-js.ts'
import type { ClusterConnection } from '../../src/testing.ts'
import type { Bench } from '../workload.ts'

/*
 * What get and put have in common: the same call by 1, 10, 100, 1000 callers that know nothing of each other, made to
 * each of the clients on the same tables.
 */

const IN_FLIGHT = [1, 10, 100, 1000] as const
const SMOKE_IN_FLIGHT = [1, 100] as const

/** Clients that pgbench has: one connection each, as many as the others have. */
const PGBENCH_CLIENTS: readonly number[] = [1, 10]

/** A call, and how each of the clients does it. */
export interface CallPlan {
  /** `get` */
  readonly verb: string
  readonly clients: readonly EntityClient[]
  /** Throws unless the client does its duty: nobody is fast by leaving something out. */
  check(client: EntityClient): Promise<void>
  /** What each caller of a client repeats. */
  makeCall(client: EntityClient): () => Promise<unknown>
  /** Done before each sample. */
  readonly prepare?: () => Promise<void>
  /** The same by pgbench, where it is installed. */
  readonly runPgbench?: (clients: number) => Promise<Reading>
}

/** The clients that are compared, each with its own connections to one server. */
export function openClients(connection: ClusterConnection): EntityClient[] {
  return [
    new HypervaultClient([connection]),
    new HypervaultClient([connection], { batch: false }),
    new PgPoolClient(connection, { isPrepared: false }),
    new PgPoolClient(connection, { isPrepared: true }),
    new PostgresJsClient(connection),
  ]
}

/** Closes all clients. */
export async function closeClients(clients: readonly EntityClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
}

/** Measures a call at each number in flight. */
export async function measureCalls(call: CallPlan, { plan, signal, say }: Bench): Promise<Series[]> {
  for (const client of call.clients) await call.check(client)
  const cases = (plan.isSmoke ? SMOKE_IN_FLIGHT : IN_FLIGHT).map((inFlight) => caseOf(call, inFlight, plan.sampleMs))
  const total = countSamples(cases, plan.rounds)
  return runRounds(cases, { rounds: plan.rounds, signal, onSample: (done) => say(call.verb, done, total) })
}

/** The name of a case. */
export function nameCase(verb: string, inFlight: number): string {
  return `${verb}, ${inFlight} in flight`
}

function caseOf(call: CallPlan, inFlight: number, durationMs: number): Case {
  const contenders = call.clients.map((client): Contender => {
    const makeOne = call.makeCall(client)
    const measure = async (): Promise<Reading> => {
      await call.prepare?.()
      return driveCallers({ inFlight, durationMs }, makeOne)
    }
    return { name: client.name, measure }
  })
  return { name: nameCase(call.verb, inFlight), contenders: [...contenders, ...pgbenchOf(call, inFlight)] }
}

function pgbenchOf({ runPgbench, prepare }: CallPlan, inFlight: number): Contender[] {
  if (runPgbench === undefined || !PGBENCH_CLIENTS.includes(inFlight)) return []
  const measure = async (): Promise<Reading> => {
    await prepare?.()
    return runPgbench(inFlight)
  }
  return [{ name: PGBENCH, measure }]
}

/** Goals of a call: so many times the rate of `pg.Pool` with prepared statements, and as quick when nobody else calls. */
export function callGoals(verb: string, rates: readonly { inFlight: number; must: number; aim: number }[]): Goal[] {
  const alone = nameCase(verb, 1)
  const quick: Goal = {
    what: `${alone}: time of a call`,
    of: { case: alone, contender: HYPERVAULT, metric: p50 },
    against: [{ case: alone, contender: PG_PREPARED, metric: p50 }],
    must: 1.1,
    aim: 1,
  }
  const fast = rates.map(({ inFlight, must, aim }): Goal => {
    const name = nameCase(verb, inFlight)
    const against = [{ case: name, contender: PG_PREPARED, metric: rate }]
    return { what: name, of: { case: name, contender: HYPERVAULT, metric: rate }, against, must, aim }
  })
  return [...fast, quick]
}

/** The contenders of calls, in the order in which they are shown. */
export const callContenders = [HYPERVAULT, BATCHLESS, 'pg.Pool', PG_PREPARED, 'postgres.js', PGBENCH] as const
