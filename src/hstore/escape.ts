/**
 * Length of the pieces in which long text is escaped. One replacement in a text with 40 million quotes needs an
 * array that V8 cannot make, and ends the process with no error to catch. Much smaller pieces only cost time.
 */
const pieceLength = 0x10000

/** Puts a backslash before each quote and each backslash. */
export function escapeText(text: string): string {
  if (text.length <= pieceLength) return escapePiece(text)
  let escaped = ''
  for (let at = 0; at < text.length; at += pieceLength) escaped += escapePiece(text.slice(at, at + pieceLength))
  return escaped
}

/** Takes away what `escapeText` put in. */
export function unescapeText(text: string): string {
  if (text.length <= pieceLength) return unescapePiece(text)
  let unescaped = ''
  let at = 0
  while (at < text.length) {
    const end = endOfPiece(text, at)
    unescaped += unescapePiece(text.slice(at, end))
    at = end
  }
  return unescaped
}

/** By regular expression: `replaceAll` would leave a tree of strings, one node per match, in the memory of Node.js. */
function escapePiece(text: string): string {
  return text.replace(/["\\]/g, '\\$&')
}

function unescapePiece(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}

/** A piece must not end between a backslash and the character that it escapes. */
function endOfPiece(text: string, start: number): number {
  const end = start + pieceLength
  return countBackslashes(text, start, end) % 2 === 0 ? end : end + 1
}

/** Counts the backslashes right before `end`; looking no further than `start` keeps the whole linear. */
function countBackslashes(text: string, start: number, end: number): number {
  let at = end
  while (at > start && text[at - 1] === '\\') at -= 1
  return end - at
}
