/** Parses JSON text; throws a SyntaxError that says where it is malformed and never shows the text: it may hold a password. */
export function parseJsonText(text: string): unknown {
  let message: string
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown
  } catch (error) {
    // Kept as no cause either: V8 quotes the text in some messages.
    message = String(error)
  }
  throw new SyntaxError(`it is not JSON${describePlace(text, message)}`)
}

/** Of a message of V8 only the offset is used, which most of them tell. */
function describePlace(text: string, message: string): string {
  const offset = /at position (\d+)/.exec(message)?.[1]
  if (offset === undefined) return message.includes('end of JSON input') ? ': it ends too early' : ''
  const before = text.slice(0, Number(offset)).split('\n')
  return `: see line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}
