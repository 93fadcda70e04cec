/** Makes a rejection of what is thrown at once; an async function would cost each get and put a promise more. */
export function rejectThrown<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (thrown) {
    const error = thrown as Error
    return Promise.reject(error)
  }
}
