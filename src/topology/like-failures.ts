import { runsOf } from './shard-range.ts'

/*
 * Failures of many shards or servers mostly have one cause. Those that differ only in where they happened are told once,
 * with a count and the places; `details` and JSON documents keep each of them.
 */

/** A failure, as the details of an error or a report have it. */
export interface PlacedFailure {
  readonly serverId?: string | undefined
  readonly shardId?: number | undefined
  readonly code?: string | null | undefined
  readonly sqlstate?: string | undefined
  readonly message: string
  /** What was at work there, such as the name of a migration. */
  readonly subject?: string | undefined
}

/** Failures that differ only in where they happened. */
export interface FailureGroup<F extends PlacedFailure = PlacedFailure> {
  readonly members: readonly F[]
  /** `s1, 200 shards (0-199), 0042_add_email`; empty when no place is known. */
  readonly where: string
  /** The message of the first, with `shardNNNN` for its shard when there are several. */
  readonly message: string
}

/** Most runs of shards, and most servers, that are named for a group. */
const MAX_PLACES = 6

/** Puts failures that differ only in where they happened into one group each, in the order in which they first occur. */
export function groupFailures<F extends PlacedFailure>(failures: readonly F[]): FailureGroup<F>[] {
  const groups = new Map<string, F[]>()
  for (const failure of failures) {
    const likeness = likenessOf(failure)
    const members = groups.get(likeness)
    if (members === undefined) groups.set(likeness, [failure])
    else members.push(failure)
  }
  return [...groups.values()].map((members) => ({
    members,
    where: describePlaces(members),
    message: describeAlike(members, ({ message }) => message),
  }))
}

/** A line for each group: `s1, 200 shards (0-199): permission denied for schema shardNNNN`; beyond `max` they are counted. */
export function describeFailures(failures: readonly PlacedFailure[], max = 5): string[] {
  const groups = groupFailures(failures)
  const lines = groups.slice(0, max).map(({ where, message }) => (where === '' ? message : `${where}: ${message}`))
  const rest = groups.slice(max).reduce((sum, { members }) => sum + members.length, 0)
  return rest === 0 ? lines : [...lines, `and ${rest} more`]
}

/** Numbers as runs, the ends included: `1-3, 7`; beyond `max` runs the numbers are counted. */
export function formatRuns(numbers: readonly number[], max = Infinity): string {
  const runs = runsOf(numbers)
  const shown = runs.slice(0, max).map(({ first, end }) => (first === end - 1 ? `${first}` : `${first}-${end - 1}`))
  const rest = runs.slice(max).reduce((sum, { first, end }) => sum + end - first, 0)
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`
}

/** A text that all members of a group have, without the places that differ; the first of them if more than that differs. */
export function describeAlike<F extends PlacedFailure>(members: readonly F[], textOf: (member: F) => string): string {
  const hasShards = new Set(members.map(({ shardId }) => shardId)).size > 1
  const hasServers = new Set(members.map(({ serverId }) => serverId)).size > 1
  const shown = members.map((member) => {
    const text = hasShards ? withoutShards(textOf(member)) : textOf(member)
    return hasServers ? withoutServer(text, member.serverId) : text
  })
  const [first = ''] = shown
  return shown.every((text) => text === first) ? first : `${first} (the others alike)`
}

function likenessOf(failure: PlacedFailure): string {
  const { code, sqlstate, subject, message, serverId, shardId } = failure
  const text = withoutPlaces(withoutServer(withoutShards(message), serverId))
  return JSON.stringify([code ?? '', sqlstate ?? '', subject ?? '', shardId === undefined, text])
}

function withoutShards(message: string): string {
  return message.replace(/\bshard\d{4}\b/g, 'shardNNNN').replace(/\bshard \d+\b/g, 'shard N')
}

function withoutServer(message: string, serverId: string | undefined): string {
  return serverId === undefined ? message : message.split(`server ${serverId}`).join('the server')
}

/** What names one case of many: addresses, processes, moves, keys, and how long something took. */
function withoutPlaces(message: string): string {
  return message
    .replace(/\b(E[A-Z]{4,}|EAI_AGAIN) \S+/g, '$1')
    .replace(/\b(pid|move|moves|slot|key) [\w-]*\d[\w-]*/g, '$1 N')
    .replace(/\bhv_(move|back)_\w+/g, 'hv_$1_N')
    .replace(/\b\d+(\.\d+)? (ms|s|min)\b/g, 'N $2')
    .replace(/(?<!\d)-?\d{16,20}\b/g, 'N')
}

function describePlaces(members: readonly PlacedFailure[]): string {
  const serverIds = [...new Set(members.flatMap(({ serverId }) => serverId ?? []))]
  const shardIds = [...new Set(members.flatMap(({ shardId }) => shardId ?? []))]
  const subject = members[0]?.subject
  return [describeServers(serverIds), describeShards(shardIds), subject].filter(Boolean).join(', ')
}

function describeServers(serverIds: readonly string[]): string {
  if (serverIds.length <= 1) return serverIds.join('')
  return `${serverIds.length} servers (${formatNames(serverIds, MAX_PLACES)})`
}

function describeShards(shardIds: readonly number[]): string {
  if (shardIds.length <= 1) return shardIds.map((shardId) => `shard ${shardId}`).join('')
  return `${shardIds.length} shards (${formatRuns(shardIds, MAX_PLACES)})`
}

/** Names that end in a number as runs, `s1-s200`. */
function formatNames(names: readonly string[], max: number): string {
  const runs: { first: string; last: string; count: number }[] = []
  for (const name of names) {
    const run = runs.at(-1)
    if (run !== undefined && isNext(run.last, name)) {
      run.last = name
      run.count += 1
    } else runs.push({ first: name, last: name, count: 1 })
  }
  const shown = runs.slice(0, max).map(({ first, last }) => (first === last ? first : `${first}-${last}`))
  const rest = runs.slice(max).reduce((sum, { count }) => sum + count, 0)
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`
}

function isNext(before: string, name: string): boolean {
  const [, stem, digits] = /^(.*?)(0|[1-9]\d{0,8})$/.exec(before) ?? []
  return stem !== undefined && name === `${stem}${Number(digits) + 1}`
}
