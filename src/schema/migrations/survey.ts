import { withServerSession, type ServerSession } from '../../server/server-session.ts'
import type { ServerSite, ServerSites } from '../../server/server-sites.ts'
import { readServerFacts } from '../inspect.ts'
import { readStates } from './state/read-states.ts'
import type { ShardState } from './state/shard-state.ts'

/** Shards for which another connection is not worth its while. */
const MIN_SHARDS = 64

/** A server whose shards have said what has run in them. */
export interface Survey {
  readonly site: ServerSite
  readonly serverId: string
  readonly hstoreSchema: string
  readonly states: readonly ShardState[]
}

/** What all servers have said. */
export interface Surveys {
  readonly surveys: readonly Survey[]
  /** Why the others could not be asked, by server. */
  readonly problems: ReadonlyMap<string, unknown>
}

/** How servers are asked. */
export interface SurveySettings {
  /** Connections that ask one server side by side. */
  readonly connectionsPerServer: number
  readonly signal: AbortSignal | undefined
}

/** Asks all servers at once what has run in their shards. A server that cannot be asked keeps none from answering. */
export async function surveyServers({ list }: ServerSites, settings: SurveySettings): Promise<Surveys> {
  const { signal } = settings
  const problems = new Map<string, unknown>()
  const surveys = await Promise.all(
    list.map((site) =>
      surveyServer(site, settings).catch((error: unknown) => {
        problems.set(site.server.serverId, error)
        return undefined
      }),
    ),
  )
  signal?.throwIfAborted()
  return { surveys: surveys.filter((survey) => survey !== undefined), problems }
}

async function surveyServer(site: ServerSite, { connectionsPerServer, signal }: SurveySettings): Promise<Survey> {
  const { serverId, shardIds } = site.server
  // The session that first sees a table has to get to know it, which is most of what this takes.
  const length = Math.max(MIN_SHARDS, Math.ceil(shardIds.length / connectionsPerServer))
  const parts = Array.from({ length: Math.ceil(shardIds.length / length) }, (_, part) =>
    shardIds.slice(part * length, (part + 1) * length),
  )
  const ask = <T>(work: (session: ServerSession) => Promise<T>): Promise<T> =>
    withServerSession(site.pool, { signal }, work)
  const [{ hstoreSchema = 'public' }, ...states] = await Promise.all([
    ask(readServerFacts),
    ...parts.map((part) => ask((session) => readStates(session, part))),
  ])
  return Object.freeze({ site, serverId, hstoreSchema, states: states.flat() })
}
