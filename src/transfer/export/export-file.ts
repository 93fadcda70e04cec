import { open, type FileHandle } from 'node:fs/promises'
import { withFile } from '../journal/file-error.ts'
import { OWNER_ONLY } from '../journal/owner-only.ts'
import { PackedParts } from './packed-parts.ts'

/** The file that an export writes. What it was given is in it after a {@link ExportFile.sync}. */
export class ExportFile implements AsyncDisposable {
  readonly #path: string
  readonly #file: FileHandle
  readonly #parts: PackedParts
  #bytes: number

  private constructor(path: string, file: FileHandle, bytes: number, isPacked: boolean) {
    this.#path = path
    this.#file = file
    this.#bytes = bytes
    this.#parts = new PackedParts(isPacked, (part) => withFile(path, () => this.#append(part)))
  }

  /**
   * Opens a file to go on behind so many bytes; what comes after them is cut off.
   *
   * @returns undefined when it is gone or has fewer
   */
  static open(path: string, bytes: number, isPacked: boolean): Promise<ExportFile | undefined> {
    return withFile(path, () => ExportFile.#open(path, bytes, isPacked))
  }

  static async #open(path: string, bytes: number, isPacked: boolean): Promise<ExportFile | undefined> {
    const opened = open(path, bytes === 0 ? 'w' : 'r+', OWNER_ONLY)
    const file = bytes === 0 ? await opened : await opened.catch(ignoreMissing)
    if (file === undefined) return undefined
    try {
      const stats = await file.stat()
      const { size } = stats
      // One that is replaced may be of a time when others could read it.
      if (bytes === 0 && stats.isFile()) await file.chmod(OWNER_ONLY)
      if (size >= bytes) {
        await file.truncate(bytes)
        return new ExportFile(path, file, bytes, isPacked)
      }
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return undefined
  }

  write(text: Buffer): Promise<void> {
    return this.#parts.write(text)
  }

  /** Resolves to the length of the file when all of it is on the disk. */
  async sync(): Promise<number> {
    await this.#parts.flush()
    await withFile(this.#path, () => this.#file.sync())
    return this.#bytes
  }

  /** Lets go of the file, to which nothing is being written any more. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close()
  }

  async #append(part: Buffer): Promise<void> {
    for (let at = 0; at < part.length;) {
      const { bytesWritten } = await this.#file.write(part, at, part.length - at, this.#bytes)
      this.#bytes += bytesWritten
      at += bytesWritten
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
