import { escapeIdentifier, escapeLiteral } from 'pg'

/** Quotes a name for SQL, always: `users` as well as `a "b"`. */
export function quoteName(name: string): string {
  return escapeIdentifier(name)
}

/** Quotes a text for SQL. */
export function quoteLiteral(text: string): string {
  return escapeLiteral(text).trimStart()
}
