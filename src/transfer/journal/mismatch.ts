import { HypervaultError } from '../../errors.ts'

/** The error of work that cannot be gone on with, because something is not as it was begun. */
export function mismatch(path: string, different: readonly string[]): HypervaultError {
  const message = `${path} was started with different settings: ${different.join(', ')}`
  return new HypervaultError('HV_JOURNAL_MISMATCH', message, { file: path, different: [...different] })
}

/** Throws `HV_JOURNAL_MISMATCH` unless both say the same. */
export function assertSameTerms(path: string, before: object, now: object): void {
  const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(now))]
  const different = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name))
  if (different.length > 0) throw mismatch(path, different)
}

/** The error of a file that is no journal of this sort. */
export function malformedJournal(path: string, what: string): HypervaultError {
  return new HypervaultError('HV_JOURNAL_MALFORMED', `${path} is not the journal of an ${what}`, { file: path })
}
