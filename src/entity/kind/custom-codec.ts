import { describeType } from '../../arguments/arguments.ts'
import { textCodec, type TextCodec } from './codecs.ts'
import { Misfit } from './misfit.ts'

/** How values of a type of your own are written as text, and read back. */
export interface CustomCodec<T> {
  readonly write: (value: T) => string
  readonly read: (text: string) => T
}

/** A codec of the caller's: what it throws is a misfit, and its message is not shown where others read along. */
export function customCodec<T>({ write, read }: CustomCodec<T>): TextCodec<T> {
  return {
    write: (value) =>
      textCodec.write(guarded(`its codec does not accept this, got ${describeType(value)}`, () => write(value as T))),
    read: (text) => guarded('its codec does not accept the text', () => read(text)),
  }
}

function guarded<T>(reason: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    throw new Misfit([{ path: [], reason, message: thrown instanceof Error ? thrown.message : reason }])
  }
}
