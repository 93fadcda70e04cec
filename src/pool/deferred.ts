/** A promise together with what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** `Promise.withResolvers()`, which Node.js 20 does not have. */
export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined
  // Bound: whoever calls this says what it is.
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }))
  if (settle === undefined) throw new Error('bug: a promise calls its executor at once')
  return { promise, ...settle }
}
