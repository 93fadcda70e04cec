/** A text with its quotes, or one of the marks `{ } [ ] : ,` outside of any text. */
interface Token {
  readonly mark: string
  readonly start: number
  readonly end: number
}

const MARKS = '{}[]:,'

/**
 * How each member of an object is written, by its key; of members with the same key the last counts, as it does for
 * `JSON.parse`. Numbers keep all their digits, and what is nested keeps its order.
 *
 * @param text JSON of an object; it must be known to be valid
 */
export function sourcesOfMembers(text: string): Map<string, string> {
  const sources = new Map<string, string>()
  let depth = 0
  let member: { key: string; start: number } | undefined
  let previous = ''
  for (const { mark, start, end } of tokensOf(text)) {
    if (mark === '}' || mark === ']') depth -= 1
    if (member !== undefined && (depth === 0 || (depth === 1 && mark === ','))) {
      sources.set(member.key, text.slice(member.start, start).trim())
      member = undefined
    }
    if (depth === 1 && mark === ':') member = { key: JSON.parse(previous) as string, start: end }
    if (mark === '{' || mark === '[') depth += 1
    previous = text.slice(start, end)
  }
  return sources
}

function* tokensOf(text: string): Generator<Token, void, undefined> {
  for (let start = 0; start < text.length; start += 1) {
    const mark = text.charAt(start)
    const end = mark === '"' ? endOfText(text, start) : start + 1
    if (mark === '"' || MARKS.includes(mark)) yield { mark, start, end }
    start = end - 1
  }
}

/** Where a text ends, behind its closing quote. */
function endOfText(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1)
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1)
  return quote + 1
}

/** Whether an odd number of backslashes is in front of a quote. */
function isEscaped(text: string, quote: number): boolean {
  let first = quote
  while (text[first - 1] === '\\') first -= 1
  return (quote - first) % 2 === 1
}
