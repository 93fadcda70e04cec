/*
 * Checks of what a caller gives, before anything is sent: a value of a wrong type is a TypeError, one that is out of
 * bounds a RangeError. Messages name the argument and say what was given; of a value that may be a secret, its type.
 */

/** Names the type of a value for a message, never the value itself. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? `an object of class ${value.constructor?.name ?? 'Object'}` : typeof value
}

/** Throws unless the value is an integer from `min` to `max`, both included. */
export function assertInteger(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${describeType(value)}`)
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new RangeError(`${name} must be an integer from ${min} to ${max}, got ${value}`)
}

/** Throws a TypeError unless the value is true or false. */
export function assertBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, got ${describeType(value)}`)
}

/** Throws a TypeError unless the value can be called. */
export function assertFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, got ${describeType(value)}`)
}

/** Throws a TypeError unless the value is an array. */
export function assertArray(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array, got ${describeType(value)}`)
}

/** Throws a TypeError unless the value is undefined or an `AbortSignal`, of whatever realm. */
export function assertSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return
  throw new TypeError(`signal must be an AbortSignal, got ${describeType(signal)}`)
}

/** Throws a TypeError unless the value is an object that has only these parts; `what` is such as `a query`. */
export function assertParts(what: string, value: unknown, known: readonly string[]): asserts value is object {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject) throw new TypeError(`${what} must be an object of ${known.join(', ')}, got ${describeType(value)}`)
  const unknown = Object.keys(value).filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new TypeError(`unknown part ${unknown.join(', ')} of ${what}: it takes ${known.join(', ')}`)
}

/** Throws a TypeError unless the value is an object of only these options; `what` is such as `a Datastore`. */
export function assertOptions(what: string, value: unknown, known: readonly string[]): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} takes an object of options, got ${describeType(value)}`)
  }
  if (value instanceof AbortSignal) throw new TypeError(`${what} takes an object of options: write { signal }`)
  for (const name of Object.keys(value)) if (!known.includes(name)) throw unknownOptions(what, value, known)
}

function unknownOptions(what: string, value: object, known: readonly string[]): TypeError {
  const unknown = Object.keys(value).filter((name) => !known.includes(name))
  return new TypeError(`unknown option ${unknown.join(', ')}: ${what} takes ${known.join(', ')}`)
}

/** The numbers among some options: what each is by default, and its bounds, both included. */
export type NumberOptions<Name extends string> = Readonly<
  Record<Name, { readonly default: number; readonly min: number; readonly max: number }>
>

/** Checks the numbers among some options and fills in the defaults; TypeError or RangeError names the option. */
export function resolveNumbers<Name extends string>(
  numbers: NumberOptions<Name>,
  options: object,
): Record<Name, number> {
  const given = options as Readonly<Record<Name, unknown>>
  const names = Object.keys(numbers) as Name[]
  const resolved = names.map((name) => [name, resolveNumber(name, given[name], numbers[name])])
  return Object.fromEntries(resolved) as Record<Name, number>
}

function resolveNumber(name: string, value: unknown, bounds: { default: number; min: number; max: number }): number {
  if (value === undefined) return bounds.default
  assertInteger(name, value, bounds.min, bounds.max)
  return value
}
