/*
 * Who may do what, and what is said about it: owners, grants, comments. As in definition-queries.ts, each row is a
 * statement, and `$1` is the schema.
 */

/** Everything in a schema that has an owner and privileges: how it is named in a statement, its owner, its privileges. */
const objects = `
with objects (word, name, owner, privileges, kind) as (
  select 'schema', oid::regnamespace::text, nspowner, nspacl, 'n' from pg_namespace where oid = $1::regnamespace
  union all
  select case relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
    oid::regclass::text, relowner, relacl, case relkind when 'S' then 's' else 'r' end::"char"
  from pg_class
  where relnamespace = $1::regnamespace and relkind in ('r', 'S', 'v', 'm') and relname <> 'hv_marker'
    and not (relkind = 'S' and exists (select from pg_depend where objid = pg_class.oid
      and classid = 'pg_class'::regclass and deptype in ('a', 'i') and refclassid = 'pg_class'::regclass))
  union all
  select case prokind when 'p' then 'procedure' else 'function' end, oid::regprocedure::text, proowner, proacl, 'f'
  from pg_proc where pronamespace = $1::regnamespace and prokind in ('f', 'p') and proname <> 'hv_fence'
  union all
  select case typtype when 'd' then 'domain' else 'type' end, oid::regtype::text, typowner, typacl, 'T'
  from pg_type where typnamespace = $1::regnamespace and typtype in ('e', 'd')
)`

/** Owners of the schema and of what is in it. The schema first: who gets something in it must be allowed to create there. */
export const selectOwners = `${objects}
select format('alter %s %s owner to %I', word, name, pg_get_userbyid(owner))
from objects
order by kind <> 'n', kind, name`

/** Roles that own something. */
export const selectOwnerRoles = `${objects}
select distinct pg_get_userbyid(owner) from objects order by 1`

/** Privileges on the schema, on what is in it, and on columns. */
export const selectGrants = `${objects}
select format('grant %s on %s %s to %s%s', privilege_type,
  case when word in ('view', 'materialized view') then 'table' when word = 'domain' then 'type' else word end, name,
  case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
  case when is_grantable then ' with grant option' else '' end)
from objects, lateral aclexplode(privileges)
where grantee <> owner
union all
select format('revoke all on %s %s from public', word, name)
from objects
where kind in ('f', 'T') and privileges is not null
  and not exists (select from aclexplode(privileges) where grantee = 0)
union all
select format('grant %s (%I) on %s to %s%s', privilege_type, attname, attrelid::regclass,
  case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
  case when is_grantable then ' with grant option' else '' end)
from pg_attribute join pg_class on pg_class.oid = attrelid, lateral aclexplode(attacl)
where relnamespace = $1::regnamespace and relkind in ('r', 'v', 'm')
order by 1`

/** Roles that own something or may do something. */
export const selectRoles = `${objects}
select distinct pg_get_userbyid(role)
from (
  select owner from objects
  union select grantee from objects, lateral aclexplode(privileges)
  union select grantee from pg_attribute join pg_class on pg_class.oid = attrelid, lateral aclexplode(attacl)
    where relnamespace = $1::regnamespace
  union select unnest(polroles) from pg_policy join pg_class on pg_class.oid = polrelid where relnamespace = $1::regnamespace
) as roles (role)
where role <> 0
order by 1`

/** Comments on the schema and on everything in it. */
export const selectComments = `
select format('comment on %s is %L',
  case classoid
    when 'pg_namespace'::regclass then 'schema ' || objoid::regnamespace
    when 'pg_proc'::regclass then 'routine ' || objoid::regprocedure
    when 'pg_type'::regclass then 'type ' || objoid::regtype
    when 'pg_constraint'::regclass then
      (select format('constraint %I on %s', conname, conrelid::regclass) from pg_constraint where oid = objoid)
    when 'pg_trigger'::regclass then
      (select format('trigger %I on %s', tgname, tgrelid::regclass) from pg_trigger where oid = objoid)
    else
      (select case
          when objsubid > 0 then format('column %s.%I', objoid::regclass,
            (select attname from pg_attribute where attrelid = objoid and attnum = objsubid))
          when relkind = 'S' then 'sequence ' || objoid::regclass
          when relkind = 'i' then 'index ' || objoid::regclass
          when relkind = 'v' then 'view ' || objoid::regclass
          when relkind = 'm' then 'materialized view ' || objoid::regclass
          else 'table ' || objoid::regclass end
       from pg_class where oid = objoid)
  end, description)
from pg_description
where (classoid = 'pg_namespace'::regclass and objoid = $1::regnamespace)
  or (classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'S', 'v', 'm', 'i')))
  or (classoid = 'pg_proc'::regclass and objoid in (select oid from pg_proc where pronamespace = $1::regnamespace))
  or (classoid = 'pg_type'::regclass and objoid in (select oid from pg_type where typnamespace = $1::regnamespace and typtype in ('e', 'd')))
  or (classoid = 'pg_constraint'::regclass and objoid in (select oid from pg_constraint where connamespace = $1::regnamespace and conrelid <> 0))
  or (classoid = 'pg_trigger'::regclass and objoid in
    (select pg_trigger.oid from pg_trigger join pg_class on pg_class.oid = tgrelid where relnamespace = $1::regnamespace))
order by 1`
