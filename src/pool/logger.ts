/**
 * What Hypervault needs of a logger: the shape of pino, winston and console. Statements are logged at `debug`, lost
 * connections at `warn`. Never a value, never a password.
 */
export interface Logger {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
  /** Asked before a record is built, if it is there (pino has it). */
  isLevelEnabled?(level: string): boolean
}
