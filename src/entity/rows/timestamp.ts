/**
 * Reads a `timestamp` that a server printed in ISO style; it is UTC. Digits below the millisecond are cut off, and the
 * infinities become an invalid Date.
 */
export function parseTimestamp(text: string): Date {
  return new Date(`${text.replace(' ', 'T').replace(/(\.\d{3})\d+$/, '$1')}Z`)
}
