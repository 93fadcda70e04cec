import { ofShards } from './shards-sql.ts'

/*
 * Who may do what: owners and grants. As in shards-sql.ts, `$1` are the schemas, and each row begins with the schema that
 * it is about; behind it is a statement, or a role.
 */

/** Everything in a schema that has an owner and privileges: how it is named in a statement, its owner, its privileges. */
const objects = `${ofShards},
objects (schema, word, name, owner, privileges, kind) as (
  select schema, 'schema', oid::regnamespace::text, nspowner, nspacl, 'n' from pg_namespace join shard on oid = id
  union all
  select schema, case relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
    oid::regclass::text, relowner, relacl, case relkind when 'S' then 's' else 'r' end::"char"
  from pg_class join shard on relnamespace = id
  where relkind in ('r', 'S', 'v', 'm') and relname <> 'hv_marker'
    and not (relkind = 'S' and exists (select from pg_depend where objid = pg_class.oid
      and classid = 'pg_class'::regclass and deptype in ('a', 'i') and refclassid = 'pg_class'::regclass))
  union all
  select schema, case prokind when 'p' then 'procedure' else 'function' end, oid::regprocedure::text, proowner, proacl, 'f'
  from pg_proc join shard on pronamespace = id
  where prokind in ('f', 'p') and proname <> 'hv_fence'
  union all
  select schema, case typtype when 'd' then 'domain' else 'type' end, oid::regtype::text, typowner, typacl, 'T'
  from pg_type join shard on typnamespace = id
  where typtype in ('e', 'd')
)`

/** Owners of the schema and of what is in it. The schema first: who gets something in it must be allowed to create there. */
export const selectOwners = `${objects}
select schema, format('alter %s %s owner to %I', word, name, pg_get_userbyid(owner))
from objects
order by schema, kind <> 'n', kind, name`

/** Privileges on the schema, on what is in it, and on columns. */
export const selectGrants = `${objects}
select schema, format('grant %s on %s %s to %s%s', privilege_type,
  case when word in ('view', 'materialized view') then 'table' when word = 'domain' then 'type' else word end, name,
  case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
  case when is_grantable then ' with grant option' else '' end)
from objects, lateral aclexplode(privileges)
where grantee <> owner
union all
select schema, format('revoke all on %s %s from public', word, name)
from objects
where kind in ('f', 'T') and privileges is not null
  and not exists (select from aclexplode(privileges) where grantee = 0)
union all
select schema, format('grant %s (%I) on %s to %s%s', privilege_type, attname, attrelid::regclass,
  case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
  case when is_grantable then ' with grant option' else '' end)
from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id, lateral aclexplode(attacl)
where relkind in ('r', 'v', 'm')
order by 1, 2`

/** Roles that own something or may do something, and whether they own. */
export const selectRoles = `${objects}
select schema, pg_get_userbyid(role), bool_or(is_owner)
from (
  select schema, owner, true from objects
  union select schema, grantee, false from objects, lateral aclexplode(privileges)
  union select schema, grantee, false
    from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id, lateral aclexplode(attacl)
  union select schema, unnest(polroles), false
    from pg_policy join pg_class on pg_class.oid = polrelid join shard on relnamespace = id
) as roles (schema, role, is_owner)
where role <> 0
group by schema, role
order by 1, 2`
