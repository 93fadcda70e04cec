import { assertInteger } from '../../arguments/arguments.ts'

/** With less a gigabyte takes five hours and more: whoever asks for it has mistaken the unit. */
export const MIN_BYTES_PER_SECOND = 64 * 1024

/** Throws TypeError or RangeError unless it is undefined, or a number of bytes in a second that a copy can keep to. */
export function assertThrottle(bytesPerSecond: unknown): void {
  if (bytesPerSecond === undefined) return
  assertInteger('throttleBytesPerSecond', bytesPerSecond, MIN_BYTES_PER_SECOND, Number.MAX_SAFE_INTEGER)
}
