import { explainFile } from '../../arguments/file-failure.ts'

/** Standard output did not accept all of the output. */
export class WriteError extends Error {
  readonly hint: string

  constructor(cause: Error) {
    const { what, hint } = explainFile(cause) ?? {
      what: cause.message,
      hint: 'Check where standard output is redirected to.',
    }
    super(`standard output could not be written: ${what}; the output is incomplete`, { cause })
    this.name = 'WriteError'
    this.hint = hint.replace(': it continues', '')
  }
}
