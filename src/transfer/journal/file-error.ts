import { explainFile } from '../../arguments/file-failure.ts'
import { HypervaultError } from '../../errors.ts'

/** Does something with a file; what the file system refuses becomes `HV_FILE_FAILED`, which names the file and the remedy. */
export async function withFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw fileError(file, error)
  }
}

function fileError(file: string, error: unknown): unknown {
  const failure = explainFile(error)
  if (failure === undefined) return error
  const { reason, what, hint } = failure
  const message = `${file} cannot be used: ${what} (${reason})`
  return new HypervaultError('HV_FILE_FAILED', message, { file, reason }, { cause: error, hint })
}
