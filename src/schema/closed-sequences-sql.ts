import { shardSchema } from '../key/shard-id.ts'
import { closedValues } from '../shard/closed-sequence.ts'
import { quoteLiteral } from '../sql/quote.ts'

/*
 * The sequences of a shard behind its fence. No trigger keeps anybody from `nextval`, so each sequence is closed by a range
 * that it has used up (closed-sequence.ts), in the transaction that puts the fence up:
 *
 *   who has drawn     is waited out: a draw holds a lock of its sequence until the end of its transaction
 *   cached numbers    of other sessions are thrown away by PostgreSQL, because the sequence is written anew; they count as drawn
 *   what it was       is written down with the fence, as a comment on its function: there are both or neither, whatever crashes
 *   opening           puts all of it back, and waits for who has looked at a sequence in a transaction that is still open
 *
 * What was written down at the old server is carried to what is written down at the new one, whose sequences are as closed
 * until its fence is opened.
 */

/** What a closed sequence was: where it stands, and its definition. Numbers as text. */
export interface SequenceState {
  readonly last: string
  readonly isCalled: boolean
}

/** The sequences of a shard by name. */
export type SequenceStates = Readonly<Record<string, SequenceState>>

/** Name of the function of a fence, which has the comment. */
function fenceOf(shardId: number): string {
  return `${shardSchema(shardId)}.hv_fence()`
}

/**
 * What is written down of the sequences of a schema, as SQL; `schema` is SQL for its oid. The function is not looked up by its
 * name, because that takes a privilege on the schema, and who plans a move may have none yet.
 */
function statesSql(schema: string): string {
  return [
    "(select pg_catalog.obj_description(hv_proc.oid, 'pg_proc')::jsonb from pg_catalog.pg_proc as hv_proc",
    `where hv_proc.proname = 'hv_fence' and hv_proc.pronargs = 0 and hv_proc.pronamespace = ${schema})`,
  ].join(' ')
}

/** SQL for the oid of the schema of a shard, or null. */
function oidOf(shardId: number): string {
  return `pg_catalog.to_regnamespace('${shardSchema(shardId)}')`
}

/** Relation that takes the place of `pg_sequence` where a definition is read: closed sequences are as they were. */
export const openSequences = `(
  select seqrelid, seqtypid,
    coalesce((hv_state ->> 'increment')::bigint, seqincrement) as seqincrement,
    coalesce((hv_state ->> 'min')::bigint, seqmin) as seqmin,
    coalesce((hv_state ->> 'max')::bigint, seqmax) as seqmax,
    coalesce((hv_state ->> 'start')::bigint, seqstart) as seqstart,
    coalesce((hv_state ->> 'cache')::bigint, seqcache) as seqcache,
    coalesce((hv_state ->> 'isCycling')::boolean, seqcycle) as seqcycle
  from pg_catalog.pg_sequence
  join pg_catalog.pg_class as hv_class on hv_class.oid = seqrelid,
  lateral (select ${statesSql('hv_class.relnamespace')} -> hv_class.relname) as hv_states (hv_state))`

/** SQL for the value of a closed sequence of this type. */
const closedValueOf = (type: string): string => {
  const { smallint, integer, bigint } = closedValues
  return `(case ${type} when 'smallint'::regtype then '${smallint}' when 'integer'::regtype then '${integer}' else '${bigint}' end)::bigint`
}

/** Closes all sequences of a shard that are open. Behind {@link raiseFenceSql} only, in the same transaction. */
export function closeSequencesSql(shardId: number): string {
  const schema = shardSchema(shardId)
  return [
    'do $hv$',
    'declare',
    `  hv_all jsonb := coalesce(${statesSql(oidOf(shardId))}, '{}');`,
    '  hv_sequence record;',
    '  hv_state jsonb;',
    'begin',
    '  for hv_sequence in',
    '    select seqrelid::regclass as hv_name, relname as hv_key, seqtypid::regtype as hv_type,',
    `      ${closedValueOf('seqtypid')} as hv_value`,
    '    from pg_catalog.pg_sequence join pg_catalog.pg_class on oid = seqrelid',
    `    where relnamespace = '${schema}'::regnamespace and not hv_all ? relname::text`,
    '    order by seqrelid',
    '  loop',
    '    -- Changes nothing, but takes the lock: from here on nobody draws.',
    "    execute format('alter sequence %s as %s', hv_sequence.hv_name, hv_sequence.hv_type);",
    "    execute format('select jsonb_build_object(''last'', last_value::text, ''isCalled'', is_called) from %s', hv_sequence.hv_name) into hv_state;",
    "    select hv_state || jsonb_build_object('increment', seqincrement::text, 'min', seqmin::text, 'max', seqmax::text,",
    "        'start', seqstart::text, 'cache', seqcache::text, 'isCycling', seqcycle)",
    '      into hv_state from pg_catalog.pg_sequence where seqrelid = hv_sequence.hv_name;',
    "    execute format('alter sequence %s increment 1 minvalue %s maxvalue %s start %s restart %3$s cache 1 no cycle',",
    '      hv_sequence.hv_name, hv_sequence.hv_value - 1, hv_sequence.hv_value, hv_sequence.hv_value);',
    '    perform setval(hv_sequence.hv_name, hv_sequence.hv_value, true);',
    '    hv_all := hv_all || jsonb_build_object(hv_sequence.hv_key, hv_state);',
    '  end loop;',
    `  execute format('comment on function ${fenceOf(shardId)} is %L', hv_all);`,
    'end $hv$',
  ].join('\n')
}

/**
 * The closed sequences that were altered, restarted or set since: `(name, statements that close it again)`. What was done to
 * them would be lost when they are opened, because they become what they were.
 *
 * @param schema SQL for the oid of the schema
 */
export function touchedSequencesSql(schema: string): string {
  const value = closedValueOf('seqtypid')
  return `
select relname, format('alter sequence %1$s increment 1 minvalue %2$s maxvalue %3$s start %3$s restart cache 1 no cycle; select setval(%4$L, %3$s)',
  seqrelid::regclass, ${value} - 1, ${value}, seqrelid::regclass::text)
from pg_catalog.pg_sequence join pg_catalog.pg_class on oid = seqrelid
where relnamespace = ${schema} and ${statesSql('relnamespace')} ? relname::text and (
  (seqincrement, seqmin, seqmax, seqstart, seqcache, seqcycle) is distinct from (1, ${value} - 1, ${value}, ${value}, 1, false)
  or pg_sequence_last_value(seqrelid) is distinct from ${value})
order by relname`
}

/** PL/pgSQL that opens the sequences of a shard: declarations, and statements. It may wait for locks, so bound them. */
export function openSequencesBlock(shardId: number): { readonly declarations: string; readonly statements: string } {
  const schema = shardSchema(shardId)
  return {
    declarations: '  hv_sequence record;',
    statements: [
      '  for hv_sequence in',
      `    select format('${schema}.%I', key) as hv_name, value as hv_state from jsonb_each(coalesce(${statesSql(oidOf(shardId))}, '{}'))`,
      '  loop',
      '    continue when to_regclass(hv_sequence.hv_name) is null;',
      "    execute format('alter sequence %s increment %s minvalue %s maxvalue %s start %s restart %s cache %s %s', hv_sequence.hv_name,",
      "      hv_sequence.hv_state ->> 'increment', hv_sequence.hv_state ->> 'min', hv_sequence.hv_state ->> 'max',",
      "      hv_sequence.hv_state ->> 'start', hv_sequence.hv_state ->> 'last', hv_sequence.hv_state ->> 'cache',",
      "      case when (hv_sequence.hv_state ->> 'isCycling')::boolean then 'cycle' else 'no cycle' end);",
      "    perform setval(hv_sequence.hv_name::regclass, (hv_sequence.hv_state ->> 'last')::bigint,",
      "      (hv_sequence.hv_state ->> 'isCalled')::boolean);",
      '  end loop;',
      `  if to_regprocedure('${fenceOf(shardId)}') is not null then`,
      `    comment on function ${fenceOf(shardId)} is null;`,
      '  end if;',
    ].join('\n'),
  }
}

/** Where the closed sequences of a shard stand: SQL for one value, for {@link parseSequences}. */
export function sequencesSql(shardId: number): string {
  return statesSql(oidOf(shardId))
}

/** Reads what {@link sequencesSql} gave. */
export function parseSequences(text: string | null | undefined): SequenceStates {
  return JSON.parse(text ?? '{}') as SequenceStates
}

/**
 * Lets the sequences of a shard stand where they stand at the other server: as soon as they are opened, or at once for those
 * that are open, because an earlier release has made them.
 */
export function carrySequencesSql(shardId: number, states: SequenceStates): string {
  const schema = shardSchema(shardId)
  // In JSON a dollar stands in names alone, and might end the block.
  const json = JSON.stringify(states).replaceAll('$', '\\u0024')
  return [
    'do $hv$',
    'declare',
    `  hv_all jsonb := coalesce(${statesSql(oidOf(shardId))}, '{}');`,
    '  hv_sequence record;',
    'begin',
    `  for hv_sequence in select key as hv_key, value as hv_state from jsonb_each(${quoteLiteral(json)}::jsonb) loop`,
    '    if hv_all ? hv_sequence.hv_key then',
    '      hv_all := jsonb_set(hv_all, array[hv_sequence.hv_key], hv_all -> hv_sequence.hv_key',
    "        || jsonb_build_object('last', hv_sequence.hv_state ->> 'last', 'isCalled', hv_sequence.hv_state -> 'isCalled'));",
    '    else',
    `      perform setval(format('${schema}.%I', hv_sequence.hv_key)::regclass,`,
    "        (hv_sequence.hv_state ->> 'last')::bigint, (hv_sequence.hv_state ->> 'isCalled')::boolean);",
    '    end if;',
    '  end loop;',
    `  if to_regprocedure('${fenceOf(shardId)}') is not null then`,
    `    execute format('comment on function ${fenceOf(shardId)} is %L', hv_all);`,
    '  end if;',
    'end $hv$',
  ].join('\n')
}
