import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerSession, ServerStatement } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'

/*
 * Collations that a shard names and that lie outside of it. Under one that is called the same and sorts by other rules, what
 * is unique at one server may be refused at the other, in the middle of a copy.
 */

interface NamedCollation {
  /** Qualified and quoted. */
  readonly name: string
  /** Its provider, locale and whatever else tells texts apart; undefined where it is missing. */
  readonly rules: string | undefined
  /** The version with which indexes were made, and the one of today, where the provider tells. */
  readonly recorded: string | undefined
  readonly actual: string | undefined
}

/** The columns for the locale have other names in other versions. */
const rules = `concat_ws(' ', case collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
    coalesce(to_jsonb(hv_named) ->> 'colllocale', to_jsonb(hv_named) ->> 'colliculocale', collcollate || ' ' || collctype),
    to_jsonb(hv_named) ->> 'collicurules', case when not collisdeterministic then 'nondeterministic' end)`

/** Finds what is wrong with the collations that a shard names, in words, each with its remedy. */
export async function findCollationProblems(source: FleetLink, target: FleetLink, shardId: number): Promise<string[]> {
  const used = await source.withSession((session) => readCollations(session, selectUsed(shardId)))
  if (used.length === 0) return []
  const names = used.map(({ name }) => name)
  const there = await target.withSession((session) => readCollations(session, selectNamed(names)))
  return used.flatMap((collation, index) => [
    ...judgeVersion(source.serverId, collation),
    ...judgeOther([source.serverId, collation], [target.serverId, there[index]]),
  ])
}

function judgeOther(
  [sourceId, { name, rules: here }]: readonly [string, NamedCollation],
  [targetId, other]: readonly [string, NamedCollation | undefined],
): string[] {
  if (other?.rules === undefined) return [`server ${targetId} lacks the collation ${name}: create it there`]
  if (other.rules === here) return judgeVersion(targetId, other)
  return [
    `the collation ${name} is ${here} on server ${sourceId} and ${other.rules} on server ${targetId}: make them the same`,
  ]
}

function judgeVersion(serverId: string, { name, recorded, actual }: NamedCollation): string[] {
  if (recorded === undefined || actual === undefined || recorded === actual) return []
  return [
    `the collation ${name} had version ${recorded} when the indexes of server ${serverId} were made, and has ${actual} now: reindex what uses it there, and alter collation ${name} refresh version`,
  ]
}

async function readCollations(session: ServerSession, statement: ServerStatement): Promise<NamedCollation[]> {
  return (await session.read(statement)).map(toCollation)
}

function toCollation([name, found, recorded, actual]: ServerRow): NamedCollation {
  return {
    name: name ?? '',
    rules: found ?? undefined,
    recorded: recorded ?? undefined,
    actual: actual ?? undefined,
  }
}

function selectUsed(shardId: number): ServerStatement {
  const text = `
with hv_used (hv_id) as (
  select attcollation from pg_attribute join pg_class on pg_class.oid = attrelid
  where relnamespace = to_regnamespace($1) and not attisdropped
  union select unnest(indcollation::oid[]) from pg_index join pg_class on pg_class.oid = indexrelid
  where relnamespace = to_regnamespace($1)
  union select typcollation from pg_type where typnamespace = to_regnamespace($1)
)
select format('%I.%I', nspname, collname), ${rules}, collversion, pg_collation_actual_version(hv_named.oid)
from hv_used join pg_collation as hv_named on hv_named.oid = hv_id join pg_namespace on pg_namespace.oid = collnamespace
where collprovider <> 'd' and collnamespace <> to_regnamespace($1)
order by 1`
  return { text, values: [shardSchema(shardId)] }
}

/** A row for each name, in the order given. */
function selectNamed(names: readonly string[]): ServerStatement {
  const text = `
select hv_name, case when hv_named.oid is not null then ${rules} end, collversion, pg_collation_actual_version(hv_named.oid)
from unnest($1::text[]) with ordinality as hv_given (hv_name, hv_place)
left join pg_collation as hv_named on hv_named.oid = to_regcollation(hv_name)
order by hv_place`
  return { text, values: [names] }
}
