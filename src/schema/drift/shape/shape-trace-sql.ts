import { shardSchema } from '../../../key/shard-id.ts'
import { openSequences } from '../../closed-sequences-sql.ts'
import { isNoFence } from '../../fence-sql.ts'

/*
 * The trace of a shape: an md5 of which rows the catalogs of PostgreSQL have for a shard, and which transaction wrote each.
 * As long as it stays the same, the lines of shape-sql.ts stay the same, except for the names of what lies outside the shard;
 * it takes a tenth of their time, because no definition is printed. The opposite does not hold: another trace is a reason to
 * read the lines.
 *
 *   what is directly in the schema   depends on it in pg_depend, which has an index for that; so no catalog is read as a
 *                                    whole, however many shards a server has
 *   what belongs to a relation       is found by an index on the relation
 *   pg_class, pg_sequence            by what they say, because a fence writes rows of them anew
 *   the fence itself                 is left out
 */

/** The objects in the schema that are of one catalog, as SQL for an array. */
const membersOf = (catalog: string): string =>
  `array(select objid from hv_member where classid = 'pg_catalog.${catalog}'::regclass)`

const [relations, types] = ['array(select oid from hv_relation)', membersOf('pg_type')]

/** Catalogs whose objects are in a schema, and that say all about them in one row. */
const ofSchema = [
  ...['pg_proc', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_collation', 'pg_conversion', 'pg_statistic_ext'],
  ...['pg_type', 'pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template', 'pg_default_acl'],
]

/** A catalog, what identifies a row in it, and which rows belong to the shard. */
type Source = readonly [catalog: string, key: string, where: string]

const sources: readonly Source[] = [
  ['pg_namespace', 'oid', 'oid = (select oid from hv_schema)'],
  ...ofSchema.map((catalog): Source => [catalog, 'oid', `oid = any (${membersOf(catalog)})`]),
  ['pg_enum', 'oid', `enumtypid = any (${types})`],
  // Few, and without an index by target.
  ['pg_cast', 'oid', 'oid >= 16384'],
  ['pg_constraint', 'oid', `conrelid = any (${relations})`],
  ['pg_constraint', 'oid', `contypid = any (${types})`],
  ['pg_attribute', "attrelid || '.' || attnum", 'attrelid = any (array(select oid from hv_class))'],
  ['pg_attrdef', 'oid', `adrelid = any (${relations})`],
  ['pg_index', 'indexrelid', `indrelid = any (${relations})`],
  ['pg_trigger', 'oid', `tgrelid = any (${relations}) and ${isNoFence}`],
  ['pg_rewrite', 'oid', `ev_class = any (${relations})`],
  ['pg_policy', 'oid', `polrelid = any (${relations})`],
  ['pg_inherits', "inhrelid || '.' || inhseqno", `inhrelid = any (${relations})`],
  ['pg_foreign_table', 'ftrelid', `ftrelid = any (${relations})`],
  ['pg_publication_rel', 'oid', `prrelid = any (${relations})`],
  ['pg_publication_namespace', 'oid', 'pnnspid = (select oid from hv_schema)'],
  ['pg_amop', 'oid', `amopfamily = any (${membersOf('pg_opfamily')})`],
  ['pg_amproc', 'oid', `amprocfamily = any (${membersOf('pg_opfamily')})`],
  [
    'pg_ts_config_map',
    "mapcfg || '.' || maptokentype || '.' || mapseqno",
    `mapcfg = any (${membersOf('pg_ts_config')})`,
  ],
]

/** Objects of these catalogs may have a comment; those of others are found by the schema. */
const commented = ['pg_class', 'pg_constraint', 'pg_trigger', 'pg_rewrite', 'pg_policy']

const traceOf = ([catalog, key, where]: Source): string =>
  `select '${catalog}', ${key}::text, xmin::text from pg_catalog.${catalog} where ${where}`

const relationRow = [
  ...['relname', 'relkind', 'relpersistence', 'relam', 'reloftype', 'relowner', 'relreplident', 'relrowsecurity'],
  ...['relforcerowsecurity', 'relispopulated', 'relacl', 'reloptions', 'relpartbound'],
].join(', ')

/** Statement that gives the trace of a shard: one row. It has no values, so that it is planned once for all when prepared. */
export function selectTrace(shardId: number): string {
  return `
with hv_schema as materialized (select oid from pg_catalog.pg_namespace where nspname = '${shardSchema(shardId)}'),
hv_member as materialized (
  select classid, objid from pg_catalog.pg_depend
  where refclassid = 'pg_catalog.pg_namespace'::regclass and refobjid = (select oid from hv_schema)
    and not (classid = 'pg_catalog.pg_proc'::regclass and exists (
      select from pg_catalog.pg_proc where pg_proc.oid = objid and proname = 'hv_fence'))
),
hv_relation as materialized (
  select unnest(${membersOf('pg_class')}) as oid
  union all select typrelid from pg_catalog.pg_type where pg_type.oid = any (${types}) and typrelid <> 0
),
hv_class as materialized (
  select oid from hv_relation
  union all select indexrelid from pg_catalog.pg_index where indrelid = any (${relations})
),
hv_row (hv_catalog, hv_key, hv_text) as materialized (
  ${sources.map(traceOf).join('\n  union all ')}
  union all select 'pg_class', oid::text, row(${relationRow})::text from pg_catalog.pg_class where oid = any (array(select oid from hv_class))
  union all select 'toast', oid::text, reloptions::text from pg_catalog.pg_class where oid = any (array(
    select reltoastrelid from pg_catalog.pg_class where oid = any (${relations})))
  union all select 'pg_sequence', seqrelid::text, hv_sequence::text from ${openSequences} as hv_sequence where seqrelid = any (${relations})
  union all select 'pg_depend', objid::text, concat_ws(' ', refclassid, refobjid, refobjsubid, deptype)
  from pg_catalog.pg_depend where classid = 'pg_catalog.pg_class'::regclass and objid = any (array(
    select oid from pg_catalog.pg_class where oid = any (${relations}) and relkind = 'S'))
),
hv_comment as (
  select 'pg_description', concat_ws(' ', classoid, objoid, objsubid), xmin::text from pg_catalog.pg_description
  where objoid = any (array(
    select (select oid from hv_schema) union all select objid from hv_member
    union all select hv_key::oid from hv_row where hv_catalog in (${commented.map((name) => `'${name}'`).join(', ')})))
)
select md5(string_agg(concat_ws(' ', hv_catalog, hv_key, hv_text), E'\\n' order by hv_catalog collate "C", hv_key collate "C", hv_text collate "C"))
from (table hv_row union all table hv_comment) as hv_trace`
}
