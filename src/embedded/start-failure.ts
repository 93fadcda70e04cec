import { readFile } from 'node:fs/promises'
import { HypervaultError } from '../errors.ts'

const tailLines = 30

/** The error HV_EMBEDDED_START_FAILED, with the end of the log of the program that failed. */
export async function describeStartFailure(
  what: string,
  { version, exitCode, logFile }: { version: number; exitCode: number | null; logFile: string },
): Promise<HypervaultError> {
  const log = await readTail(logFile)
  const lastLine = log.split('\n').at(-1) ?? ''
  const message = `PostgreSQL ${version}: ${what}${lastLine === '' ? '' : `: ${lastLine}`}`
  return new HypervaultError('HV_EMBEDDED_START_FAILED', message, { version, exitCode, log }, hintFor(log))
}

/** The last lines of a log; empty when there is none. */
export async function readTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-tailLines).join('\n')
}

function hintFor(log: string): { hint: string } | undefined {
  if (!/permission denied/i.test(log)) return undefined
  return { hint: 'Set TMPDIR to a folder in which every user may run programs. details.log holds the end of the log.' }
}
