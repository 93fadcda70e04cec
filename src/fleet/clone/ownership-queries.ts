import { hasOwnStatement } from './object-queries.ts'
import { ofShards } from './shards-sql.ts'

/*
 * Who may do what: owners and grants. As in shards-sql.ts, `$1` are the schemas, and each row begins with the schema that
 * it is about; behind it is a statement, or a role.
 */

/**
 * Everything in a schema that has an owner and privileges: how it is named in a statement, its owner, its privileges, and
 * whether it belongs to a column, whose owner it has.
 */
const objects = `${ofShards},
objects (schema, word, name, owner, privileges, kind, is_part) as (
  select schema, 'schema', oid::regnamespace::text, nspowner, nspacl, 'n'::"char", false from pg_namespace join shard on oid = id
  union all
  select schema, case relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
    oid::regclass::text, relowner, relacl, case relkind when 'S' then 's' else 'r' end::"char",
    relkind = 'S' and exists (select from pg_depend where objid = pg_class.oid
      and classid = 'pg_class'::regclass and deptype in ('a', 'i') and refclassid = 'pg_class'::regclass)
  from pg_class join shard on relnamespace = id
  where relkind in ('r', 'S', 'v', 'm') and relname <> 'hv_marker'
  union all
  select schema, case prokind when 'p' then 'procedure' else 'function' end, oid::regprocedure::text, proowner, proacl, 'f'::"char", false
  from pg_proc join shard on pronamespace = id
  where prokind in ('f', 'p') and proname <> 'hv_fence'
  union all
  select schema, case typtype when 'd' then 'domain' else 'type' end, oid::regtype::text, typowner, typacl, 'T'::"char", false
  from pg_type join shard on typnamespace = id
  where ${hasOwnStatement}
)`

/** Owners of the schema and of what is in it. The schema first: who gets something in it must be allowed to create there. */
export const selectOwners = `${objects}
select schema, format('alter %s %s owner to %I', word, name, pg_get_userbyid(owner))
from objects
where not is_part
order by schema, kind <> 'n', kind, name`

const grantee = "case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end"

const sort =
  "case when word in ('view', 'materialized view') then 'table' when word = 'domain' then 'type' else word end"

/**
 * Privileges on the schema, on what is in it, and on columns; and what is not allowed here although it is by default, to the
 * owner or to everybody.
 */
export const selectGrants = `${objects}
select schema, format('grant %s on %s %s to %s%s', privilege_type, ${sort}, name, ${grantee},
  case when is_grantable then ' with grant option' else '' end)
from objects, lateral aclexplode(privileges)
where grantee <> owner
union all
select schema, format('revoke %s on %s %s from %s', privilege_type, ${sort}, name, ${grantee})
from objects, lateral aclexplode(acldefault(kind, owner))
where privileges is not null
  and (grantee, privilege_type) not in (select held.grantee, held.privilege_type from aclexplode(privileges) as held)
union all
select schema, format('grant %s (%I) on %s to %s%s', privilege_type, attname, attrelid::regclass, ${grantee},
  case when is_grantable then ' with grant option' else '' end)
from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id, lateral aclexplode(attacl)
where relkind in ('r', 'v', 'm')
order by 1, 2`

/** What roles will be allowed to do with what is made in the schema later. */
export const selectDefaultPrivileges = `${ofShards}
select schema, format('alter default privileges for role %I in schema %I grant %s on %s to %s%s', pg_get_userbyid(defaclrole),
  schema, privilege_type,
  case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end, ${grantee},
  case when is_grantable then ' with grant option' else '' end)
from pg_default_acl join shard on defaclnamespace = id, lateral aclexplode(defaclacl)
order by 1, 2`

/** Roles that own something or may do something, and whether they own. */
export const selectRoles = `${objects}
select schema, pg_get_userbyid(role), bool_or(is_owner)
from (
  select schema, owner, true from objects
  union select schema, grantee, false from objects, lateral aclexplode(privileges)
  union select schema, grantee, false
    from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id, lateral aclexplode(attacl)
  union select schema, unnest(array[defaclrole, grantee]), false
    from pg_default_acl join shard on defaclnamespace = id, lateral aclexplode(defaclacl)
  union select schema, unnest(polroles), false
    from pg_policy join pg_class on pg_class.oid = polrelid join shard on relnamespace = id
) as roles (schema, role, is_owner)
where role <> 0
group by schema, role
order by 1, 2`
