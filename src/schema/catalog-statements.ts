import { shardSchema } from '../key/shard-id.ts'
import type { ServerStatement } from '../server/server-session.ts'

/*
 * What is asked of the system catalogs of a server: one statement per catalog for all shards together, never one per
 * shard. The results are joined by oid in `inspect.ts`: the planner knows nothing of fresh catalogs, and a join of its
 * choice may take minutes where a list of oids takes milliseconds.
 */

/** Version, schema of hstore, and what tells this database from all others. */
export const selectServerFacts: ServerStatement = Object.freeze({
  text: [
    "select current_setting('server_version_num'), current_setting('server_version'),",
    "  (select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'hstore'),",
    '  (select oid from pg_database where datname = current_database()),',
    '  extract(epoch from pg_postmaster_start_time())',
  ].join('\n'),
})

/** Schemas named like a shard: `(oid, nspname, canCreate)`. Of all shards, or of these. */
export function selectSchemas(shardIds: readonly number[] | undefined): ServerStatement {
  const text =
    "select oid, nspname, has_schema_privilege(oid, 'create')\nfrom pg_namespace\nwhere nspname ~ '^shard[0-9]{4}$'"
  if (shardIds === undefined) return { text }
  return { text: `${text}\n  and nspname = any($1::text[])`, values: [shardIds.map(shardSchema)] }
}

/** Tables, views, sequences, types with columns: `(oid, relnamespace, relname, relkind, isOwned)`. */
export function selectRelations(schemas: readonly string[]): ServerStatement {
  const text = [
    "select oid, relnamespace, relname, relkind, pg_has_role(relowner, 'usage')",
    'from pg_class',
    "where relnamespace = any($1::oid[]) and relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')",
  ].join('\n')
  return { text, values: [schemas] }
}

/** Functions: `(pronamespace, proname, pronargs, isOwned, lanname, prosrc, returns)`. */
export function selectFunctions(schemas: readonly string[]): ServerStatement {
  const text = [
    "select pronamespace, proname, pronargs, pg_has_role(proowner, 'usage'), lanname, prosrc,",
    "  case when proretset then 'setof ' else '' end || format_type(prorettype, null)",
    'from pg_proc join pg_language on pg_language.oid = prolang',
    'where pronamespace = any($1::oid[])',
  ].join('\n')
  return { text, values: [schemas] }
}

/** Sequences: `(seqrelid, seqcache)`. */
export function selectSequences(relations: readonly string[]): ServerStatement {
  return { text: 'select seqrelid, seqcache\nfrom pg_sequence\nwhere seqrelid = any($1::oid[])', values: [relations] }
}

/** Columns: `(attrelid, attname, type, isRequired, hasDefault)`, in their order. */
export function selectColumns(relations: readonly string[]): ServerStatement {
  const text = [
    'select attrelid, attname,',
    '  case',
    "    when typname <> 'hstore' then format_type(atttypid, atttypmod)",
    "    when typnamespace = (select extnamespace from pg_extension where extname = 'hstore') then 'hstore'",
    "    else 'an hstore that is not the one of the extension'",
    '  end,',
    "  attnotnull, atthasdef or attidentity <> ''",
    'from pg_attribute join pg_type on pg_type.oid = atttypid',
    'where attrelid = any($1::oid[]) and attnum > 0 and not attisdropped',
    'order by attrelid, attnum',
  ].join('\n')
  return { text, values: [relations] }
}

/** Primary keys: `(conrelid, conname, columns as JSON)`. */
export function selectPrimaryKeys(relations: readonly string[]): ServerStatement {
  const text = [
    'select conrelid, conname, to_json(array(',
    '  select attname from unnest(conkey) with ordinality as part (attnum, place)',
    '  join pg_attribute on attrelid = conrelid and pg_attribute.attnum = part.attnum order by place',
    '))',
    'from pg_constraint',
    "where contype = 'p' and conrelid = any($1::oid[])",
  ].join('\n')
  return { text, values: [relations] }
}

/** Defaults of the column `id`: `(adrelid, expression, whether it depends on next_id() of the same schema)`. */
export function selectIdDefaults(relations: readonly string[]): ServerStatement {
  const text = [
    'select adrelid, pg_get_expr(adbin, adrelid), exists (',
    '  select from pg_depend join pg_proc on pg_proc.oid = refobjid',
    "  where classid = 'pg_attrdef'::regclass and objid = pg_attrdef.oid and refclassid = 'pg_proc'::regclass",
    "    and proname = 'next_id' and pronargs = 0 and pronamespace = relnamespace",
    ')',
    'from pg_attrdef',
    'join pg_class on pg_class.oid = adrelid',
    "join pg_attribute on attrelid = adrelid and attnum = adnum and attname = 'id' and attgenerated = ''",
    'where adrelid = any($1::oid[])',
  ].join('\n')
  return { text, values: [relations] }
}
