import { explainFile } from '../../arguments/file-failure.ts'

/** Standard output took not all of what was printed. */
export class WriteError extends Error {
  readonly hint: string

  constructor(cause: Error) {
    const { what, hint } = explainFile(cause) ?? { what: cause.message, hint: 'Look where standard output leads to.' }
    super(`standard output could not be written: ${what}; what it holds is not whole`, { cause })
    this.name = 'WriteError'
    this.hint = hint.replace(': it goes on', '')
  }
}
