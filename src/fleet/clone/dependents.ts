import type { ServerSession } from '../../server/server-session.ts'

/*
 * What lies outside a shard and depends on something inside it: to drop the schema with `cascade` would take it along, a
 * column of another shard with all its values for one. It is found by a walk of `pg_depend` and not by a list of kinds.
 * The walk begins with the schema, follows everything that depends on what it has reached, and stops at each object whose
 * own place is elsewhere. What has no place at all (a cast, an event trigger, an extension) counts as outside.
 *
 * `pg_depend` does not know what the text of a function names, unless the function was made with `begin atomic`.
 */

const part = 'pg_catalog.pg_identify_object_as_address(hv_used.classid, hv_used.objid, 0)'

/**
 * The schema in which an object has its place. Parts of a table or a view are where that is; a trigger that PostgreSQL has
 * made for a constraint is where the constraint is; what has no schema of its own and was made along with something inside
 * belongs to that. Whatever belongs to an extension is nowhere, and so is a table's place in a publication, unless it is one
 * of a move.
 */
const placeOf = `case
  when exists (select from pg_catalog.pg_depend as hv_member
      where hv_member.classid = hv_used.classid and hv_member.objid = hv_used.objid and hv_member.deptype = 'e') then null
  when hv_used.classid = 'pg_catalog.pg_trigger'::regclass then coalesce(
    (select hv_home.nspname from pg_catalog.pg_trigger as hv_trigger
     join pg_catalog.pg_constraint as hv_made on hv_made.oid = hv_trigger.tgconstraint
     join pg_catalog.pg_namespace as hv_home on hv_home.oid = hv_made.connamespace
     where hv_trigger.oid = hv_used.objid and hv_trigger.tgisinternal)::text,
    (${part}).object_names[1])
  when hv_used.classid in ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_attrdef'::regclass)
    then (${part}).object_names[1]
  when hv_used.classid = 'pg_catalog.pg_publication_rel'::regclass then
    (select hv_inside.hv_schema::text from pg_catalog.pg_publication_rel as hv_rel
     join pg_catalog.pg_publication as hv_pub on hv_pub.oid = hv_rel.prpubid
     where hv_rel.oid = hv_used.objid and hv_pub.pubname ~ '^hv_(move|back)_')
  when hv_used.classid = 'pg_catalog.pg_publication_namespace'::regclass then null
  else coalesce((pg_catalog.pg_identify_object(hv_used.classid, hv_used.objid, 0)).schema,
    case when hv_used.deptype in ('a', 'i') then hv_inside.hv_schema::text end)
end`

/** Dependents of the schemas `$1`: `(schema, type, name, on)`, each of them once. */
const selectDependents = `
with recursive hv_inside (hv_schema, classid, objid) as (
  select nspname, 'pg_catalog.pg_namespace'::regclass::oid, oid from pg_catalog.pg_namespace where nspname = any ($1::text[])
  union
  select hv_inside.hv_schema, hv_used.classid, hv_used.objid
  from hv_inside join pg_catalog.pg_depend as hv_used on refclassid = hv_inside.classid and refobjid = hv_inside.objid
  where ${placeOf} in (hv_inside.hv_schema::text, 'pg_toast')
),
hv_outside as (
  select hv_inside.hv_schema, hv_used.*
  from hv_inside join pg_catalog.pg_depend as hv_used on refclassid = hv_inside.classid and refobjid = hv_inside.objid
  where not exists (select from hv_inside as hv_own
    where hv_own.hv_schema = hv_inside.hv_schema and hv_own.classid = hv_used.classid and hv_own.objid = hv_used.objid)
),
hv_named as (
  select hv_schema, refclassid, refobjid, refobjsubid, hv_name.*
  from hv_outside as hv_used, lateral (
    select hv_member.refclassid, hv_member.refobjid, 0 from pg_catalog.pg_depend as hv_member
    where hv_member.classid = hv_used.classid and hv_member.objid = hv_used.objid and hv_member.deptype = 'e'
    union all
    select 'pg_catalog.pg_class'::regclass, ev_class, 0 from pg_catalog.pg_rewrite
    where oid = hv_used.objid and hv_used.classid = 'pg_catalog.pg_rewrite'::regclass and rulename = '_RETURN'
    union all
    select hv_used.classid, oid, 0 from pg_catalog.pg_class
    where oid = hv_used.objid and hv_used.classid = 'pg_catalog.pg_class'::regclass and relkind in ('v', 'm')
    union all
    select hv_used.classid, hv_used.objid, hv_used.objsubid
    limit 1
  ) as hv_name (class_id, object_id, part_id)
)
select hv_schema, hv_what.type, hv_what.identity, min(hv_on.type || ' ' || hv_on.identity)
from hv_named, pg_catalog.pg_identify_object(class_id, object_id, part_id) as hv_what,
  pg_catalog.pg_identify_object(refclassid, refobjid, refobjsubid) as hv_on
where hv_what.type is not null
group by 1, 2, 3
order by 1, 2, 3`

/**
 * What depends on these schemas from outside, by schema, as problems: what it is, and after a colon what to do. A schema on
 * which nothing outside depends is left out.
 */
export async function readDependents(
  session: ServerSession,
  schemas: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>()
  for (const row of await session.read({ text: selectDependents, values: [schemas] })) {
    const [schema = '', type = '', name = '', on = ''] = row.map((value) => value ?? '')
    const problem = describe({ schema, type, name, on })
    const problems = found.get(schema)
    if (problems === undefined) found.set(schema, [problem])
    else problems.push(problem)
  }
  return found
}

type Dependent = Readonly<Record<'schema' | 'type' | 'name' | 'on', string>>

function describe({ schema, type, name, on }: Dependent): string {
  if (type === 'extension' && on === `schema ${schema}`) {
    return `extension ${name} is in schema ${schema}, which goes away: alter extension ${name} set schema public`
  }
  const [table = '', publication] = name.split(' in publication ')
  if (type === 'publication namespace' && publication !== undefined) {
    return `schema ${schema} is in publication ${publication}, which stays at this server: alter publication ${publication} drop tables in schema ${schema}`
  }
  if (type === 'publication relation' && publication !== undefined) {
    return `table ${table} is in publication ${publication}, which stays at this server: alter publication ${publication} drop table ${table}`
  }
  return `${type} ${name} is outside the shard and depends on ${on}, which is dropped with the shard: drop it, or remove its dependency on ${schema}`
}
