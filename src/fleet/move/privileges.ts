import type { ServerSession } from '../../server/server-session.ts'

/*
 * What the role of a move must be allowed on both servers. Each row is a problem with what to type, by a superuser or the
 * owner of the database.
 */

const selectMissing = `
with own as (
  select rolname, rolsuper, rolreplication, current_database() as database,
    current_setting('server_version_num')::int >= 160000 as has_subscribers
  from pg_roles where rolname = current_user
),
owners as (select owner from unnest($2::text[]) as owner where to_regrole(quote_ident(owner)) is not null)
select format('server %s does not let role %s replicate: alter role %I replication', $1::text, rolname, rolname)
from own where not rolreplication
union all
select format(case when has_subscribers
    then 'server %s does not let role %s make subscriptions: grant pg_create_subscription to %I'
    else 'server %s does not let role %s make subscriptions, which takes a superuser before PostgreSQL 16: alter role %I superuser'
  end, $1::text, rolname, rolname)
from own
where not exists (select from pg_roles as subscriber where rolname = 'pg_create_subscription'
  and pg_has_role(own.rolname, subscriber.oid, 'usage'))
union all
select format('server %s does not let role %s create schemas, publications and subscriptions: grant create on database %I to %I',
  $1::text, rolname, database, rolname)
from own where not has_database_privilege(database, 'create')
union all
select format('server %s does not let role %s act as %s, who owns what is in the shard: grant %I to %I',
  $1::text, rolname, owner, owner, rolname)
from own, owners where not pg_has_role(owner, 'usage')
union all
select format('server %s does not let role %s own a schema: grant create on database %I to %I',
  $1::text, owner, database, owner)
from own, owners where owner <> rolname and not has_database_privilege(owner, database, 'create')`

/**
 * What the role of a session lacks for a move of a shard in which these roles own something. A superuser lacks nothing.
 */
export async function findMissingPrivileges(session: ServerSession, owners: readonly string[]): Promise<string[]> {
  const text = `select * from (${selectMissing}) as missing where not (select rolsuper from pg_roles where rolname = current_user)`
  const rows = await session.read({ text, values: [session.serverId, owners] })
  return rows.map(([problem]) => problem ?? '')
}
