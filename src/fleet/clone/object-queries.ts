import { openSequences } from '../../schema/closed-sequences-sql.ts'

/*
 * Types, functions, tables and views, in an order in which they can be made: each behind what it needs, as `pg_depend` has
 * it. The order of their making would not do: a view may be replaced by one that reads a later one, and a function may give
 * rows of a table that has it in a default. As in definition-queries.ts, `$1` is the schema.
 */

/** Leaves out what belongs to an extension. */
export const isNoExtension = (catalog: string, oid: string): string =>
  `not exists (select from pg_depend where classid = '${catalog}'::regclass and objid = ${oid} and deptype = 'e')`

/** Tables, views and the like of the schema, without those of a move. */
export const isOwnTable = "relnamespace = $1::regnamespace and relname <> 'hv_marker'"

/** Whether a type is made by a statement of its own: enumerations, domains, and composite types that are not those of tables. */
export const hasOwnStatement = `(pg_type.typtype in ('e', 'd') or pg_type.typtype = 'c'
    and (select relkind = 'c' from pg_class where pg_class.oid = pg_type.typrelid))`

const collation = (used: string, usual: string): string =>
  `case when ${used} <> ${usual} then ' collate ' || ${used}::regcollation else '' end`

const types = `
select 1, 'pg_type'::regclass, pg_type.oid, case pg_type.typtype
  when 'e' then format('create type %s as enum (%s)', pg_type.oid::regtype,
    (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = pg_type.oid))
  when 'd' then format('create domain %s as %s%s%s%s%s', pg_type.oid::regtype, format_type(pg_type.typbasetype, pg_type.typtypmod),
    ${collation('pg_type.typcollation', 'base.typcollation')},
    case when pg_type.typdefault is null then '' else ' default ' || pg_type.typdefault end,
    case when pg_type.typnotnull then ' not null' else '' end,
    (select coalesce(string_agg(format(' constraint %I %s', conname, pg_get_constraintdef(oid)), '' order by conname), '')
     from pg_constraint where contypid = pg_type.oid and contype = 'c'))
  else format('create type %s as (%s)', pg_type.oid::regtype,
    (select string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod), ${collation('attcollation', 'field.typcollation')}),
       ', ' order by attnum)
     from pg_attribute join pg_type as field on field.oid = atttypid
     where attrelid = pg_type.typrelid and attnum > 0 and not attisdropped))
  end
from pg_type left join pg_type as base on base.oid = pg_type.typbasetype
where pg_type.typnamespace = $1::regnamespace and ${isNoExtension('pg_type', 'pg_type.oid')}
  and ${hasOwnStatement}`

const functions = `
select 2, 'pg_proc'::regclass, pg_proc.oid, pg_get_functiondef(pg_proc.oid)
from pg_proc
where pronamespace = $1::regnamespace and prokind in ('f', 'p') and proname <> 'hv_fence'
  and ${isNoExtension('pg_proc', 'pg_proc.oid')}`

const identity = `(
  select format(' generated %s as identity (sequence name %s increment by %s minvalue %s maxvalue %s start with %s cache %s%s)',
    case attidentity when 'a' then 'always' else 'by default' end,
    seqrelid::regclass, seqincrement, seqmin, seqmax, seqstart, seqcache, case when seqcycle then ' cycle' else '' end)
  from ${openSequences} as hv_sequence join pg_depend on objid = seqrelid and classid = 'pg_class'::regclass and deptype = 'i'
  where refclassid = 'pg_class'::regclass and refobjid = attrelid and refobjsubid = attnum)`

/** From PostgreSQL 18 on it has a name, which counts if it is not the usual one, and may be not validated. */
const notNull = `coalesce(
  (select case
     when not convalidated then ''
     when conname = format('%s_%s_not_null', relname, attname) then ' not null'
     else format(' constraint %I not null', conname) end
   from pg_constraint where conrelid = attrelid and contype = 'n' and conkey = array[attnum]),
  case when attnotnull then ' not null' else '' end)`

const columns = `(
  select string_agg(format('  %I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
      ${collation('attcollation', 'typcollation')},
      case attcompression when 'p' then ' compression pglz' when 'l' then ' compression lz4' else '' end,
      case
        when attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(adbin, adrelid))
        when attgenerated = 'v' then format(' generated always as (%s) virtual', pg_get_expr(adbin, adrelid))
        when attidentity <> '' then ${identity}
        when adbin is not null then ' default ' || pg_get_expr(adbin, adrelid)
        else ''
      end,
      ${notNull}), E',\\n' order by attnum)
  from pg_attribute
  join pg_type on pg_type.oid = atttypid
  left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attrelid = pg_class.oid and attnum > 0 and not attisdropped)`

/** Options of a table, and those of the table that holds its long values. */
const options = `(
  select string_agg(option, ', ')
  from (
    select unnest(pg_class.reloptions)
    union all select 'toast.' || unnest(toast.reloptions) from pg_class as toast where toast.oid = pg_class.reltoastrelid
  ) as options (option))`

const tables = `
select 3, 'pg_class'::regclass, pg_class.oid, format(E'create table %s (\\n%s\\n)%s%s', pg_class.oid::regclass, ${columns},
  (select case amname when 'heap' then '' else format(' using %I', amname) end from pg_am where pg_am.oid = relam),
  ' with (' || ${options} || ')')
from pg_class
where relkind = 'r' and ${isOwnTable}`

const views = `
select 4, 'pg_class'::regclass, pg_class.oid, format(E'create %s %s%s as\\n%s%s',
  case relkind when 'm' then 'materialized view' else 'view' end, pg_class.oid::regclass,
  case when reloptions is null then '' else format(' with (%s)', array_to_string(reloptions, ', ')) end,
  rtrim(pg_get_viewdef(pg_class.oid), '; '),
  case when relispopulated then '' else E'\\nwith no data' end)
from pg_class
where relkind in ('v', 'm') and ${isOwnTable}`

/** Longest chain of what needs one another. A circle, which no statement could make, ends here too. */
const MAX_RANK = 64

/** Ranks the objects: each is above all that it needs. `part` says which of them a row of a catalog belongs to. */
const ranking = `
with recursive made (sort, class, id, statement) as (${types}
  union all ${functions}
  union all ${tables}
  union all ${views}
),
part (class, id, of_class, of_id) as (
  select class, id, class, id from made
  union all select 'pg_class'::regclass, typrelid, class, id from made join pg_type on class = 'pg_type'::regclass and oid = id where typrelid <> 0
  union all select 'pg_type'::regclass, typarray, class, id from made join pg_type on class = 'pg_type'::regclass and oid = id where typarray <> 0
  union all
  select 'pg_type'::regclass, unnest(array[reltype, typarray]), class, id
  from made join pg_class on class = 'pg_class'::regclass and pg_class.oid = id join pg_type on pg_type.oid = reltype
  union all select 'pg_attrdef'::regclass, oid, class, id from made join pg_attrdef on class = 'pg_class'::regclass and adrelid = id
  union all
  select 'pg_rewrite'::regclass, oid, class, id
  from made join pg_rewrite on class = 'pg_class'::regclass and ev_class = id where rulename = '_RETURN'
  union all select 'pg_constraint'::regclass, oid, class, id from made join pg_constraint on class = 'pg_type'::regclass and contypid = id
),
need (class, id, on_class, on_id) as (
  select distinct part.of_class, part.of_id, needed.of_class, needed.of_id
  from pg_depend
  join part on part.class = classid and part.id = objid
  join part as needed on needed.class = refclassid and needed.id = refobjid
  where (part.of_class, part.of_id) <> (needed.of_class, needed.of_id)
),
ranked (class, id, rank, is_late) as (
  select class, id, 0, sort = 4 from made
  union
  select need.class, need.id, rank + 1, is_late
  from ranked join need on on_class = ranked.class and on_id = ranked.id
  where rank < ${MAX_RANK}
)`

/** The statements in order, and whether each is made behind the copy: views, and what needs one; the rest is made before. */
export const selectObjects = `${ranking}
select statement, bool_or(is_late)
from made join ranked using (class, id)
group by sort, class, id, statement
order by max(rank), sort, id`

/** Statements that drop the same objects, each before what it needs. None of them takes anything else along. */
export const selectObjectDrops = `${ranking}
select case class
    when 'pg_type'::regclass then format('drop type if exists %s', id::regtype)
    when 'pg_proc'::regclass then format('drop routine if exists %s', id::regprocedure)
    else (select format('drop %s if exists %s',
        case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, oid::regclass)
      from pg_class where oid = id)
  end
from made join ranked using (class, id)
group by sort, class, id
order by max(rank) desc, sort desc, id desc`
