/** Bounds of one statement: more rows or bytes save little and make the server hold more at once. */
const MAX_ROWS = 5_000
const MAX_CHARACTERS = 4 * 1024 * 1024

/** Cuts a list into batches of bounded rows and characters; a single item beyond the bound is a batch of its own. */
export function batchesOf<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const batches: T[][] = []
  let current: T[] = []
  let size = 0
  for (const item of items) {
    if (current.length === MAX_ROWS || (current.length > 0 && size + sizeOf(item) > MAX_CHARACTERS)) {
      batches.push(current)
      current = []
      size = 0
    }
    current.push(item)
    size += sizeOf(item)
  }
  return current.length > 0 ? [...batches, current] : batches
}

/** Cuts a list into runs of at most `size`, each with the place of its first item. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<{ at: number; items: T[] }> {
  for (let at = 0; at < items.length; at += size) yield { at, items: items.slice(at, at + size) }
}
