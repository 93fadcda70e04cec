import { checkUsage } from './usage-error.ts'

/** Reads an integer of the command line. What `assertFits` throws for it is a wrong call. */
export function parseInteger(
  name: string,
  text: string,
  assertFits: (value: number) => void = () => undefined,
): number {
  return checkUsage(() => {
    if (!/^-?\d{1,9}$/.test(text)) throw new RangeError(`${name} must be an integer, got ${JSON.stringify(text)}`)
    const value = Number(text)
    assertFits(value)
    return value
  })
}
