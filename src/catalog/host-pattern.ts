/*
 * Patterns of hosts. A `*` must not stand for a dot in the middle of a name: `10.0.0.*` would match the name
 * `10.0.0.1.example.com` of somebody else.
 */

const LABELS = String.raw`(?:[a-z0-9_-]+\.)+`
const PART_OF_LABEL = '[a-z0-9_-]*'

/** Throws a RangeError unless it is a host, or a pattern of hosts that leaves something to be matched. */
export function assertHostPattern(name: string, pattern: string): void {
  const isHost = pattern.startsWith('/') || /^[a-z0-9._*:-]+$/i.test(pattern)
  if (isHost && /[^*.]/.test(pattern)) return
  throw new RangeError(`${name} must be a host or a pattern such as '*.db.internal', got ${JSON.stringify(pattern)}`)
}

/** Whether a host is one of a pattern. Names are compared without case; folders of sockets as they are. */
export function matchesHost(host: string, pattern: string): boolean {
  if (pattern.startsWith('/')) return host === pattern
  const isOfDomain = pattern.startsWith('*.')
  const rest = (isOfDomain ? pattern.slice(2) : pattern).split('*').map(escape).join(PART_OF_LABEL)
  return new RegExp(`^${isOfDomain ? LABELS : ''}${rest}$`, 'i').test(host.replace(/\.$/, ''))
}

function escape(text: string): string {
  return text.replaceAll(/[.:]/g, String.raw`\$&`)
}
