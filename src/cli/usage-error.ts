/** The call is wrong: exit code 2, and nothing was done. */
export class UsageError extends Error {
  readonly hint: string

  constructor(message: string, hint = 'Add --help to see how it is called.') {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}

/** Runs a check of arguments; what it refuses with a TypeError or a RangeError is a {@link UsageError}. */
export function checkUsage<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}
