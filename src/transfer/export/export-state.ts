/** What an export was begun with. Only the same may go on with it. */
export type ExportTerms = Readonly<Record<string, string | boolean | null>>

/** Entities that are still to be written. */
export interface ExportPart {
  /** Null for all kinds. */
  readonly kind: number | null
  /** Goes on behind what is written of them; null at their beginning. */
  readonly cursor: string | null
}

/** Where an export stands in what it reads. */
export interface ReadPlace {
  /** The first one is being written. */
  readonly rest: readonly ExportPart[]
  readonly entities: number
}

/** How far an export is, once that is on the disk. */
export interface ExportPlace extends ReadPlace {
  /** Length of the file. What is behind it was written on the way to the next place, and is cut off. */
  readonly bytes: number
}

/** One line of the journal. */
export type ExportEvent = { readonly began: ExportTerms } | { readonly at: ExportPlace }

/** Where an export of these kinds begins; undefined for all. */
export function startOf(kinds: readonly number[] | undefined): ExportPlace {
  return { rest: (kinds ?? [null]).map((kind) => ({ kind, cursor: null })), bytes: 0, entities: 0 }
}

/** What the events of a journal say in the end; undefined if they are of no export. */
export function readExportEvents(
  events: readonly unknown[],
): { readonly terms: ExportTerms; readonly place: ExportPlace } | undefined {
  const [first, ...others] = events as ExportEvent[]
  const last = others.at(-1)
  if (first === undefined || !('began' in first) || last === undefined || !('at' in last)) return undefined
  return { terms: first.began, place: last.at }
}
