import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { needsHstore } from '../find/conditions.ts'
import type { CheckedQuery } from '../find/find-query.ts'
import { extensionMissing } from './hstore-type.ts'
import type { ServerSite } from './server-site.ts'

/** Where a query runs, and what reads there. */
export interface QueryPlace {
  readonly site: ServerSite
  readonly query: CheckedQuery
  readonly read: (statement: ShardStatement) => Promise<readonly TextRow[]>
}

/**
 * Does work that may name hstore, and does it again when the server has refused that because the extension has moved to another
 * schema. Nothing was executed then.
 *
 * @throws `HV_EXTENSION_MISSING`, and what `work` throws
 */
export async function withHstoreType<T>(
  { site, query, read }: QueryPlace,
  work: (hstoreType: string | undefined) => Promise<T>,
): Promise<T> {
  const used = site.hstore.name ?? (await ensureHstoreType(site, query, read))
  try {
    return await work(used)
  } catch (error) {
    if (!site.hstore.isRefuted(used, error)) throw error
    return work(await ensureHstoreType(site, query, read))
  }
}

/**
 * The type `hstore` of a server, qualified and quoted; undefined if it is not known and the query does not need it. Asked
 * for once, by the first query that looks into a body.
 *
 * @throws `HV_EXTENSION_MISSING`, and what `read` throws
 */
async function ensureHstoreType(
  { hstore, pool }: ServerSite,
  query: CheckedQuery,
  read: (statement: ShardStatement) => Promise<readonly TextRow[]>,
): Promise<string | undefined> {
  if (hstore.name !== undefined || !needsHstore(query)) return hstore.name
  const name = await hstore.find(read)
  if (name === undefined) throw extensionMissing(pool.serverId)
  return name
}
