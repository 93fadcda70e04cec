import { shardSchema } from '../key/shard-id.ts'
import { quoteLiteral } from '../sql/quote.ts'
import { searchPath } from '../sql/search-path.ts'

/*
 * What makes names without a schema mean those of a shard. It is said anew in each transaction, and is over with it: a
 * path that were set for the session would stay with the connection, and behind a pooler in transaction mode with
 * whatever shard uses that server connection next.
 *
 * Before that it is made sure that the schema is there. A path may name a schema that is not, and what was meant for the
 * shard would then be read from `public`, or created in it.
 *
 *   alone   goes in front of a statement, in the transaction of that statement. It is a query, so it cannot go in front of
 *           one that begins a transaction: an isolation level must be chosen before the first query.
 *   begin   goes in front of a text that begins a transaction. The query is in a transaction of its own before it; `set
 *           local` is none, and stays in force when `begin` makes the transaction that it is in an explicit one.
 */

/** SQL to be sent in front of a statement. */
export interface ScopeHead {
  readonly sql: string
  /** How many statements it consists of: as many answers come before that of the statement itself. */
  readonly commands: number
}

/** What names without a schema mean in one shard on one server. */
export class ShardScope {
  readonly alone: ScopeHead
  readonly begin: ScopeHead

  /** @param hstoreSchema where hstore is, quoted; undefined if there is none */
  constructor(shardId: number, hstoreSchema: string | undefined) {
    const path = searchPath(shardId, hstoreSchema)
    const present = `'${shardSchema(shardId)}'::pg_catalog.regnamespace`
    const literal = quoteLiteral(path)
    this.alone = { sql: `select pg_catalog.set_config('search_path', ${literal}, true), ${present}`, commands: 1 }
    this.begin = { sql: `begin; select ${present}; commit; set local search_path to ${path}`, commands: 4 }
    Object.freeze(this)
  }
}
