import { chownSync, closeSync, fchownSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { GatedProgram } from './gated-process.ts'
import type { Identity } from './unprivileged.ts'
import { WatchedFolder } from './watched-folder.ts'

/** The folder of one server: its data, its log, and who owns both. Nobody else can read it. */
export class ServerFolder {
  readonly dataFolder: string
  readonly logFile: string
  readonly #identity: Identity
  readonly #folder: WatchedFolder

  constructor(version: number, identity: Identity) {
    this.#identity = identity
    this.#folder = new WatchedFolder(`server-${version}`, 0o700)
    if (identity.uid !== undefined) chownSync(this.#folder.path, identity.uid, identity.gid ?? -1)
    this.dataFolder = join(this.#folder.path, 'data')
    this.logFile = join(this.#folder.path, 'server.log')
  }

  /** What a program of this server needs to run in here under watch. */
  program(command: string, args: readonly string[]): Omit<GatedProgram, 'watchAs'> {
    const { path, watcher } = this.#folder
    return { command, args, folder: path, logFile: this.logFile, identity: this.#identity, watcher }
  }

  /** Writes a file that only the user of the server can read. */
  writePrivateFile(name: string, text: string): string {
    const path = join(this.#folder.path, name)
    const file = openSync(path, 'wx', 0o600)
    try {
      writeSync(file, text)
      if (this.#identity.uid !== undefined) fchownSync(file, this.#identity.uid, this.#identity.gid ?? -1)
    } finally {
      closeSync(file)
    }
    return path
  }

  /** Removes the folder; what still runs in it is ended before that. */
  async remove(): Promise<void> {
    await this.#folder.remove()
  }
}
