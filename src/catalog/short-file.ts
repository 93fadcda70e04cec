import { statSync } from 'node:fs'

/** No password, certificate or key is as large. A file without an end, such as a device, would fill the memory. */
const MAX_BYTES = 1_048_576

/**
 * Throws unless it is a file that can be read in a moment. A pipe is not: whoever reads it waits for somebody to write.
 *
 * @throws what the file system throws; Error that names the file
 */
export function assertShortFile(file: string): void {
  const found = statSync(file)
  if (!found.isFile()) throw new Error(`${file} is not a regular file`)
  if (found.size > MAX_BYTES) throw new Error(`${file} is too large for a secret or a certificate`)
}
