import { SPREAD_FUNCTION } from '../../../topology/spread-sql.ts'

/*
 * Lines about owners, privileges and comments. Each is a select of `(nspname, text)` over `hv_shard`, `hv_relation` and
 * `hv_object` of shape-sql.ts. PostgreSQL names the objects (pg_identify_object), in no language of its messages.
 */

/** Everything in the schemas that may have an owner, privileges or a comment: `(nspname, classid, objid, owner, acl, kind)`. */
export const objects = `
  select nspname, 'pg_namespace'::regclass::oid as classid, hv_shard.oid as objid, nspowner as owner, nspacl as acl, 'n'::"char" as kind
  from hv_shard
  union all
  select nspname, 'pg_class'::regclass, hv_relation.oid, relowner, relacl, case relkind when 'S' then 's' else 'r' end::"char"
  from hv_relation where relkind <> 'c'
  union all
  select nspname, 'pg_proc'::regclass, pg_proc.oid, proowner, proacl, 'f' from pg_proc join hv_shard on pronamespace = hv_shard.oid
  where proname not in ('hv_fence', '${SPREAD_FUNCTION}')
  union all
  select nspname, 'pg_type'::regclass, hv_type.oid, typowner, typacl, 'T'
  from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid
  where typtype in ('e', 'd', 'r') or typtype = 'b' and typsubscript::oid <> 'pg_catalog.array_subscript_handler'::regproc
    or typtype = 'c' and exists (select from pg_class where pg_class.oid = typrelid and relkind = 'c')
  union all
  select nspname, 'pg_operator'::regclass, pg_operator.oid, oprowner, null, null from pg_operator join hv_shard on oprnamespace = hv_shard.oid
  union all
  select nspname, 'pg_opclass'::regclass, pg_opclass.oid, opcowner, null, null from pg_opclass join hv_shard on opcnamespace = hv_shard.oid
  union all
  select nspname, 'pg_opfamily'::regclass, pg_opfamily.oid, opfowner, null, null from pg_opfamily join hv_shard on opfnamespace = hv_shard.oid
  union all
  select nspname, 'pg_collation'::regclass, pg_collation.oid, collowner, null, null from pg_collation join hv_shard on collnamespace = hv_shard.oid
  union all
  select nspname, 'pg_conversion'::regclass, pg_conversion.oid, conowner, null, null from pg_conversion join hv_shard on connamespace = hv_shard.oid
  union all
  select nspname, 'pg_ts_config'::regclass, pg_ts_config.oid, cfgowner, null, null from pg_ts_config join hv_shard on cfgnamespace = hv_shard.oid
  union all
  select nspname, 'pg_ts_dict'::regclass, pg_ts_dict.oid, dictowner, null, null from pg_ts_dict join hv_shard on dictnamespace = hv_shard.oid
  union all
  select nspname, 'pg_statistic_ext'::regclass, pg_statistic_ext.oid, stxowner, null, null
  from pg_statistic_ext join hv_shard on stxnamespace = hv_shard.oid`

/** What has no owner of its own, and may have a comment: `(nspname, classid, objid)`. */
const parts = `
    select nspname, classid, objid from hv_object
    union all select nspname, 'pg_class'::regclass, hv_type.typrelid
      from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid join pg_class on pg_class.oid = typrelid and relkind = 'c'
    union all select nspname, 'pg_class'::regclass, indexrelid from hv_relation join pg_index on indrelid = hv_relation.oid
    union all select nspname, 'pg_constraint'::regclass, pg_constraint.oid from pg_constraint join hv_shard on connamespace = hv_shard.oid
    union all select nspname, 'pg_trigger'::regclass, pg_trigger.oid from pg_trigger join hv_relation on tgrelid = hv_relation.oid
    union all select nspname, 'pg_rewrite'::regclass, pg_rewrite.oid from pg_rewrite join hv_relation on ev_class = hv_relation.oid
    union all select nspname, 'pg_policy'::regclass, pg_policy.oid from pg_policy join hv_relation on polrelid = hv_relation.oid`

const identify = (objsubid: string): string =>
  `(select concat_ws(' ', hv_known.type, hv_known.identity) from pg_identify_object(classid, objid, ${objsubid}) as hv_known)`

/** Most things belong to whom the schema belongs to. */
const owners = `
  select hv_object.nspname, format('owner of %s: %I', ${identify('0')}, pg_get_userbyid(owner))
  from hv_object join hv_shard on hv_shard.nspname = hv_object.nspname
  where classid = 'pg_namespace'::regclass or owner <> nspowner`

const holder = (grantee: string): string =>
  `case ${grantee} when 0 then 'public' when owner then 'its owner' else quote_ident(pg_get_userbyid(${grantee})) end`

const grants = `
  select nspname, format('%s may %s%s on %s', ${holder('hv_held.grantee')}, lower(hv_held.privilege_type),
    case when hv_held.is_grantable then ', and grant it,' else '' end, ${identify('0')})
  from hv_object, lateral aclexplode(acl) as hv_held
  where (hv_held.grantee, hv_held.privilege_type, hv_held.is_grantable) not in (
    select hv_usual.grantee, hv_usual.privilege_type, hv_usual.is_grantable from aclexplode(acldefault(kind, owner)) as hv_usual)
  union all
  select nspname, format('%s may not %s on %s', ${holder('hv_usual.grantee')}, lower(hv_usual.privilege_type), ${identify('0')})
  from hv_object, lateral aclexplode(acldefault(kind, owner)) as hv_usual
  where acl is not null and (hv_usual.grantee, hv_usual.privilege_type) not in (
    select hv_held.grantee, hv_held.privilege_type from aclexplode(acl) as hv_held)
  union all
  select nspname, format('%s may %s%s on column %I.%I', case hv_held.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(hv_held.grantee)) end,
    lower(hv_held.privilege_type), case when hv_held.is_grantable then ', and grant it,' else '' end, relname, attname)
  from hv_relation join pg_attribute on attrelid = hv_relation.oid, lateral aclexplode(attacl) as hv_held
  where attacl is not null
  union all
  select nspname, format('what %I makes as %s: %s may %s%s', pg_get_userbyid(defaclrole), defaclobjtype,
    case hv_held.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(hv_held.grantee)) end, lower(hv_held.privilege_type),
    case when hv_held.is_grantable then ', and grant it' else '' end)
  from pg_default_acl join hv_shard on defaclnamespace = hv_shard.oid, lateral aclexplode(defaclacl) as hv_held`

const comments = `
  select nspname, format('comment on %s: %s', ${identify('objsubid')}, description)
  from (${parts}) as hv_part join pg_description on classoid = classid and objoid = objid`

/** The selects, each of lines of its own. */
export const ownershipLines: readonly string[] = [owners, grants, comments]
