import { CommanderError } from 'commander'
import { isHypervaultError, type ErrorCode } from '../../errors.ts'
import { UsageError } from '../arguments/usage-error.ts'
import { WriteError } from './write-error.ts'

/** A failed command as a person reads it. */
export interface Failure {
  readonly exitCode: 1 | 2
  readonly code: string
  /** What happened, in one line. */
  readonly what: string
  /** What to do about it, in one line. */
  readonly hint: string
  readonly stack: string | undefined
}

/** Codes that mean: the call or the configuration is wrong, nothing was done. */
const usageCodes: readonly ErrorCode[] = ['HV_CONFIG_INVALID', 'HV_CONFIG_NOT_FOUND', 'HV_JOURNAL_MISMATCH']

const HELP_HINT = 'Add --help to see the usage.'
const DEBUG_HINT = 'Set HYPERVAULT_DEBUG=1 to see the stack trace.'

/** True when "it failed" only means that help or the version was printed. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0
}

/** Judges whatever a command threw. */
export function toFailure(error: unknown): Failure {
  const stack = error instanceof Error ? error.stack : undefined
  const { what, ...rest } = describe(error)
  return { ...rest, what: oneLine(what), stack }
}

function describe(error: unknown): Omit<Failure, 'stack'> {
  if (error instanceof CommanderError) return describeCommanderError(error)
  if (error instanceof UsageError) return { exitCode: 2, code: 'USAGE', what: error.message, hint: error.hint }
  if (error instanceof WriteError) return { exitCode: 1, code: 'OUTPUT', what: error.message, hint: error.hint }
  if (isHypervaultError(error)) {
    const exitCode = usageCodes.includes(error.code) ? 2 : 1
    return { exitCode, code: error.code, what: error.message, hint: error.hint }
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return { exitCode: 1, code: 'STOPPED', what: 'stopped before the end', hint: HELP_HINT }
  }
  return { exitCode: 1, code: 'UNEXPECTED', what: String(error), hint: DEBUG_HINT }
}

/** commander says "error: …" and, on a line of its own, "(Did you mean …?)". */
function describeCommanderError(error: CommanderError): Omit<Failure, 'stack'> {
  if (error.code === 'commander.help') {
    return { exitCode: 2, code: 'USAGE', what: 'no command was given', hint: HELP_HINT }
  }
  const [what = '', suggestion] = error.message.split('\n')
  const hint = suggestion?.replace(/^\(|\)$/g, '') ?? HELP_HINT
  return { exitCode: 2, code: 'USAGE', what: what.replace(/^error: /, ''), hint }
}

/** Line ends and control characters become spaces: a message of a server must not move the cursor. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
}
