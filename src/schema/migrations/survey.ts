import { readServerFacts } from '../inspect.ts'
import { withServerSession } from '../server-session.ts'
import type { ServerSite, ServerSites } from '../server-sites.ts'
import { readStates } from './state/read-states.ts'
import type { ShardState } from './state/shard-state.ts'

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

/** Asks all servers at once what has run in their shards. A server that cannot be asked keeps none from answering. */
export async function surveyServers({ list }: ServerSites, signal: AbortSignal | undefined): Promise<Surveys> {
  const problems = new Map<string, unknown>()
  const surveys = await Promise.all(
    list.map((site) =>
      surveyServer(site, signal).catch((error: unknown) => {
        problems.set(site.server.serverId, error)
        return undefined
      }),
    ),
  )
  signal?.throwIfAborted()
  return { surveys: surveys.filter((survey) => survey !== undefined), problems }
}

function surveyServer(site: ServerSite, signal: AbortSignal | undefined): Promise<Survey> {
  const { serverId, shardIds } = site.server
  return withServerSession(site.pool, { signal }, async (session) => {
    const { hstoreSchema = 'public' } = await readServerFacts(session)
    return Object.freeze({ site, serverId, hstoreSchema, states: await readStates(session, shardIds) })
  })
}
