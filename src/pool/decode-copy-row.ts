import type { TextRow } from './text-rows.ts'

const controls: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/**
 * Reads a row as `copy … to stdout` prints it in its text format: columns between tabs, `\N` for null, and a backslash
 * before what would end a column, a row or an escape.
 */
export function decodeCopyRow(line: string): TextRow {
  const columns = line.slice(0, line.endsWith('\n') ? -1 : undefined).split('\t')
  return line.includes('\\') ? columns.map(decodeColumn) : columns
}

function decodeColumn(text: string): string | null {
  if (text === '\\N') return null
  return text.replace(/\\(.)/g, (_, escaped: string) => controls[escaped] ?? escaped)
}
