/** A key in a message is cut here; longer ones are never names that somebody would look for. */
const maxNameLength = 80

/** Names the value of a key in a message, by its place: `body.age`, `body["first name"]`. */
export function nameValue(key: string): string {
  return /^[a-z_$][\w$]{0,79}$/i.test(key) ? `body.${key}` : `body[${quoteName(key)}]`
}

/** Names a key in a message that is about the key itself. */
export function nameKey(key: string): string {
  return `the key ${quoteName(key)} of body`
}

/** Names the type of what came instead of a body or of a value, and nothing of its content. */
export function nameType(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return Array.isArray(value) ? 'array' : nameClass(value)
}

function nameClass(value: object): string {
  const { constructor } = value
  return typeof constructor === 'function' && constructor !== Object ? constructor.name || 'object' : 'object'
}

/** JSON, because it escapes control characters and lone surrogates: the message stays one line that can be logged. */
function quoteName(key: string): string {
  return JSON.stringify(key.length > maxNameLength ? key.slice(0, maxNameLength) + '…' : key)
}
