import { SPREAD_FUNCTION } from '../../../topology/spread-sql.ts'

/*
 * Lines about types, functions, operators and the like. Each is a select of `(nspname, text)` over `hv_shard` of shape-sql.ts;
 * `$2` and `$3` are the two bodies that a `next_id()` of Hypervault has.
 */

const collation = (used: string, usual: string): string =>
  `case when ${used} in (0, ${usual}) then '' else ' collate ' || ${used}::regcollation::text end`

const types = `
  select nspname, format('type %I: %s', typname, (
    select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = hv_type.oid))
  from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid
  where typtype = 'e'
  union all
  select nspname, format('domain %I %s%s%s%s', hv_type.typname, format_type(hv_type.typbasetype, hv_type.typtypmod),
    ${collation('hv_type.typcollation', 'hv_base.typcollation')},
    ' default ' || hv_type.typdefault,
    case when hv_type.typnotnull then ' not null' else '' end)
  from pg_type as hv_type join hv_shard on hv_type.typnamespace = hv_shard.oid
  join pg_type as hv_base on hv_base.oid = hv_type.typbasetype
  where hv_type.typtype = 'd'
  union all
  select nspname, format('constraint %I on domain %I: %s%s', conname, typname, pg_get_constraintdef(hv_constraint.oid),
    case when convalidated then '' else ' (not validated)' end)
  from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid
  join pg_constraint as hv_constraint on contypid = hv_type.oid
  where contype <> 'n'
  union all
  select nspname, format('type %I: (%s)', hv_type.typname, (
    select string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod), ${collation('attcollation', 'hv_field.typcollation')}),
      ', ' order by attnum)
    from pg_attribute join pg_type as hv_field on hv_field.oid = atttypid
    where attrelid = hv_type.typrelid and attnum > 0 and not attisdropped))
  from pg_type as hv_type join hv_shard on hv_type.typnamespace = hv_shard.oid
  join pg_class as hv_class on hv_class.oid = typrelid
  where typtype = 'c' and hv_class.relkind = 'c'
  union all
  select nspname, format('type %I: range of %s%s, operators %s, canonical %s, difference %s, multirange %s', typname,
    rngsubtype::regtype, case when rngcollation = 0 then '' else ' collate ' || rngcollation::regcollation::text end,
    (select format('%s.%I', opcnamespace::regnamespace, opcname) from pg_opclass where pg_opclass.oid = rngsubopc),
    rngcanonical::regproc, rngsubdiff::regproc, rngmultitypid::regtype)
  from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid join pg_range on rngtypid = hv_type.oid
  union all
  select nspname, format('type %I: input %s, output %s, receive %s, send %s, length %s, alignment %s, storage %s, category %s%s', typname,
    typinput, typoutput, typreceive, typsend, typlen, typalign, typstorage, typcategory, case when typispreferred then ' preferred' else '' end)
  from pg_type as hv_type join hv_shard on typnamespace = hv_shard.oid
  where typtype = 'b' and typsubscript::oid <> 'pg_catalog.array_subscript_handler'::regproc`

const functions = `
  select nspname, case
    when proname = 'next_id' and prosrc = replace(replace($2, '%S', nspname), '%B', bits::text)
      or proname = 'next_id' and regexp_replace(prosrc, '{floor}', '%F') = replace(replace($3, '%S', nspname), '%B', bits::text)
      then 'function next_id()'
    when prokind in ('f', 'p', 'w') then pg_get_functiondef(hv_function.oid)
    else (
      select format('aggregate %s(%s) state %s %s start %s, step %s, final %s %s %s, combine %s, serial %s %s, moving %s %s %s %s %s start %s, sort %s, %s %s %s',
        proname, pg_get_function_identity_arguments(hv_function.oid), aggtranstype::regtype, aggtransspace, agginitval, aggtransfn,
        aggfinalfn, aggfinalextra, aggfinalmodify, aggcombinefn, aggserialfn, aggdeserialfn, aggmtranstype::regtype, aggmtransfn,
        aggminvtransfn, aggmfinalfn, aggmfinalmodify, aggminitval, aggsortop::regoperator, aggkind, proparallel, provolatile)
      from pg_aggregate where aggfnoid = hv_function.oid) end
  from pg_proc as hv_function join hv_shard on pronamespace = hv_shard.oid
  where proname not in ('hv_fence', '${SPREAD_FUNCTION}')`

const operators = `
  select nspname, format('operator %s by %s, commutator %s, negator %s, %s, %s%s%s', hv_operator.oid::regoperator, oprcode,
    oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin,
    case when oprcanhash then ', hashes' else '' end, case when oprcanmerge then ', merges' else '' end)
  from pg_operator as hv_operator join hv_shard on oprnamespace = hv_shard.oid
  union all
  select nspname, format('operator class %I for %s using %I%s, family %s.%I, key %s', opcname, opcintype::regtype, amname,
    case when opcdefault then ' default' else '' end, opfnamespace::regnamespace, opfname, opckeytype::regtype)
  from pg_opclass join hv_shard on opcnamespace = hv_shard.oid join pg_am on pg_am.oid = opcmethod
  join pg_opfamily on pg_opfamily.oid = opcfamily
  union all
  select nspname, format('operator family %I using %I: %s; %s', opfname, amname,
    (select string_agg(format('%s %s %s', amopstrategy, amopopr::regoperator, amoppurpose), ', ' order by amoplefttype, amoprighttype, amopstrategy)
     from pg_amop where amopfamily = hv_family.oid),
    (select string_agg(format('%s %s', amprocnum, amproc::regprocedure), ', ' order by amproclefttype, amprocrighttype, amprocnum)
     from pg_amproc where amprocfamily = hv_family.oid))
  from pg_opfamily as hv_family join hv_shard on opfnamespace = hv_shard.oid join pg_am on pg_am.oid = opfmethod
  union all
  select nspname, format('cast from %s to %s with %s, %s, %s', castsource::regtype, casttarget::regtype, castfunc::regprocedure, castcontext, castmethod)
  from pg_cast join pg_type as hv_type on hv_type.oid in (castsource, casttarget) join hv_shard on typnamespace = hv_shard.oid`

/** The columns for the locale of a collation have other names in other versions. */
const texts = `
  select nspname, format('collation %I by %s: %s, %s, %s%s', collname, collprovider, collcollate, collctype,
    coalesce(to_jsonb(hv_collation) ->> 'colllocale', to_jsonb(hv_collation) ->> 'colliculocale'),
    case when collisdeterministic then '' else ', not deterministic' end)
  from pg_collation as hv_collation join hv_shard on collnamespace = hv_shard.oid
  union all
  select nspname, format('conversion %I from %s to %s by %s', conname, pg_encoding_to_char(conforencoding), pg_encoding_to_char(contoencoding), conproc)
  from pg_conversion join hv_shard on connamespace = hv_shard.oid
  union all
  select nspname, format('text search configuration %I: %s', cfgname, (
    select string_agg(format('%s %s', maptokentype, mapdict::regdictionary), ', ' order by maptokentype, mapseqno)
    from pg_ts_config_map where mapcfg = hv_configuration.oid))
  from pg_ts_config as hv_configuration join hv_shard on cfgnamespace = hv_shard.oid
  union all
  select nspname, format('text search dictionary %I of %I: %s', dictname, tmplname, dictinitoption)
  from pg_ts_dict join hv_shard on dictnamespace = hv_shard.oid join pg_ts_template on pg_ts_template.oid = dicttemplate
  union all
  select nspname, format('text search parser %I: %s, %s, %s, %s, %s', prsname, prsstart, prstoken, prsend, prsheadline, prslextype)
  from pg_ts_parser join hv_shard on prsnamespace = hv_shard.oid
  union all
  select nspname, format('text search template %I: %s, %s', tmplname, tmplinit, tmpllexize)
  from pg_ts_template join hv_shard on tmplnamespace = hv_shard.oid`

/** The selects; `floor` is the pattern of the floor in the body of a `next_id()`. */
export function codeLines(floor: string): string[] {
  return [types, functions.replace('{floor}', floor), operators, texts]
}
