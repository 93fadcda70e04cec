/**
 * Tokens of a statement that may hide a value or protect one: comments, quoted and dollar-quoted strings, quoted
 * identifiers, words, parameters, numbers. An unterminated one runs to the end, so that nothing behind it is shown; a
 * comment with another one in it does so too.
 */
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*|/\*(?:(?!/\*)[\s\S])*?\*/|/\*[\s\S]*)`,
    String.raw`(?<escaped>\b[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$))`,
    String.raw`(?<text>'(?:[^']|'')*(?:'|$))`,
    String.raw`(?<dollar>\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?(?:\$\k<tag>\$|$))`,
    String.raw`(?<name>"(?:[^"]|"")*(?:"|$))`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<parameter>\$\d+)`,
    String.raw`(?<number>\d[\w.]*|\.\d[\w.]*)`,
  ].join('|'),
  'g',
)

/** A statement without the values written into it: every literal becomes `?`, comments go, white space is folded. */
export function redactSql(sql: string): string {
  const withoutValues = sql.replace(TOKEN, (token: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Record<string, string | undefined>
    if (groups.comment !== undefined) return ' '
    return groups.name ?? groups.word ?? groups.parameter ?? '?'
  })
  return withoutValues.replace(/\s+/g, ' ').trim()
}
