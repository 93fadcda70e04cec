import { shardSchema } from './shard-id.ts'

/** From where on keys count while the clock of a server has not come so far. */
export interface KeyFloor {
  /** Milliseconds since the epoch of the keys. */
  readonly ms: number
  /** Number of the sequence that belongs to it; 1024 later the next millisecond begins. */
  readonly number: bigint
}

/**
 * SQL that creates `next_id()` of a shard: the key of now, from the shard's sequence. A `language sql` function, because
 * PostgreSQL inlines it into the default of the column (2.6 times the bulk rate of PL/pgSQL, same keys). It keeps the
 * original's signature, so that it can replace the original's function in place.
 *
 * `floor`, because a cast to bigint rounds half of the keys into the next millisecond.
 */
export function nextIdSql(shardId: number, epochMs: number): string {
  const schema = shardSchema(shardId)
  return [
    `create or replace function ${schema}.next_id(out result bigint)`,
    'language sql volatile',
    'as $$',
    `  select ((floor(extract(epoch from clock_timestamp()) * 1000)::bigint - ${epochMs}) << 23)`,
    `    | ${shardId << 10}::bigint`,
    `    | (nextval('${schema}.table_id_seq'::regclass) % 1024)`,
    '$$',
  ].join('\n')
}

/**
 * SQL that creates a `next_id()` that gives no key below a floor, for a server whose clock is behind: the time is that of
 * the clock or, if that is later, the floor and one millisecond for each 1024 keys since.
 */
export function flooredNextIdSql(shardId: number, epochMs: number, floor: KeyFloor): string {
  const schema = shardSchema(shardId)
  return [
    `create or replace function ${schema}.next_id(out result bigint)`,
    'language sql volatile',
    'as $$',
    '  select greatest(',
    `      floor(extract(epoch from clock_timestamp()) * 1000)::bigint - ${epochMs},`,
    `      ${floor.ms} + (number - ${floor.number}) / 1024`,
    '    ) << 23',
    `    | ${shardId << 10}::bigint`,
    '    | number % 1024',
    `  from (select nextval('${schema}.table_id_seq'::regclass) as number) as drawn`,
    '$$',
  ].join('\n')
}

/** The floor in the text of a `next_id()`: a pattern of PostgreSQL, and of JavaScript as well. */
export const FLOOR_PATTERN = '[0-9]+ \\+ \\(number - [0-9]+\\) / 1024'

/** The floor of a `next_id()` with this body; undefined without one. */
export function readFloor(body: string): KeyFloor | undefined {
  const [ms, number] = new RegExp(FLOOR_PATTERN).exec(body)?.[0].match(/[0-9]+/g) ?? []
  return ms === undefined || number === undefined ? undefined : { ms: Number(ms), number: BigInt(number) }
}

/** What a `language sql` function does: the text between its dollars. */
export function bodyOf(sql: string): string {
  return /\$\$(.*)\$\$/s.exec(sql)?.[1] ?? ''
}

/** Whether a function with this body is the `next_id()` of a shard, with whatever floor or without one. */
export function isNextIdBody(body: string, shardId: number, epochMs: number): boolean {
  if (body === bodyOf(nextIdSql(shardId, epochMs))) return true
  const withoutFloor = (text: string): string => text.replace(new RegExp(FLOOR_PATTERN), '')
  return withoutFloor(body) === withoutFloor(bodyOf(flooredNextIdSql(shardId, epochMs, { ms: 0, number: 0n })))
}
