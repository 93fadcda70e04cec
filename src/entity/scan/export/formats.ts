import { stringify } from 'csv-stringify/sync'
import type { Entity } from '../../rows/entity.ts'
import { BODY_COLUMN, ownColumns, type CheckedExport } from './export-options.ts'

/*
 * The lines of an export, all of which end with a line feed:
 *
 *   ndjson   {"key":"…","shard":…,"kind":…,"created":"…","updated":"…" or null,"body":{…}}
 *   csv      key,shard,kind,created,updated and then body as JSON, or a column for each key of the body that was asked for
 *
 * Times are ISO 8601 in UTC with milliseconds. In a column of CSV null and a key that is not there are empty, and an empty
 * text is "".
 */

/** Writes entities as text; a header only before the first of them. */
export type EntityFormat = (entities: readonly Entity[], isFirst: boolean) => string

/** The format of an export. */
export function formatOf({ format, columns, hasHeader }: CheckedExport): EntityFormat {
  if (format === 'ndjson') return (entities) => entities.map(jsonLine).join('')
  const header = [...ownColumns, ...(columns ?? [BODY_COLUMN])]
  const recordOf = (entity: Entity): Field[] => [...ownFields(entity), ...bodyFields(entity, columns)]
  return (entities, isFirst) =>
    stringify([...(isFirst && hasHeader ? [header] : []), ...entities.map(recordOf)], csvOptions)
}

type Field = string | null | undefined

/** By these what is empty stays apart from null, and a carriage return is not taken for the end of a line. */
const csvOptions = { quoted_match: [/^$/, /\r/], record_delimiter: '\n' }

function jsonLine({ key, kind, body, updated }: Entity): string {
  return `${JSON.stringify({ key, shard: key.shardId, kind, created: key.created, updated, body })}\n`
}

function ownFields({ key, kind, updated }: Entity): Field[] {
  return [String(key), String(key.shardId), String(kind), key.created.toISOString(), timeText(updated)]
}

/** An infinite time of the server is an invalid Date, which JSON writes as null too. */
function timeText(time: Date | null): Field {
  return time === null || Number.isNaN(time.getTime()) ? null : time.toISOString()
}

function bodyFields({ body }: Entity, columns: readonly string[] | undefined): Field[] {
  if (columns === undefined) return [JSON.stringify(body)]
  return columns.map((column) => (Object.hasOwn(body, column) ? body[column] : undefined))
}
