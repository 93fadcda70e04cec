/** An input that cannot be read any further. What was read before is as good as that of any other. */
export class MalformedInput extends Error {
  /** The line of the record that cannot be read, from 1; undefined if nobody can tell. */
  readonly line: number | undefined
  /** Bytes of text in front of that record; undefined likewise. */
  readonly offset: number | undefined

  /** @param reason what is wrong, such as `its gzip ends too early`; never a value */
  constructor(reason: string, place: { readonly line?: number; readonly offset?: number } = {}) {
    super(reason)
    this.name = 'MalformedInput'
    this.line = place.line
    this.offset = place.offset
  }
}
