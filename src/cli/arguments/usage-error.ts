/** The call is wrong: exit code 2, and nothing was done. */
export class UsageError extends Error {
  readonly hint: string

  constructor(message: string, hint = 'Add --help to see the usage.') {
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
    throw toUsageError(error)
  }
}

/** The same for work that checks its arguments and does more. */
export async function withUsageCheck<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toUsageError(error)
  }
}

function toUsageError(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError ? new UsageError(error.message) : error
}
