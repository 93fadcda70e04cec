/** What cannot stand between quotes as it is. A surrogate is looked at again: most are half of a good pair. */
const special = /[\0"\\\ud800-\udfff]/

/** Above this length calling the regular expression costs less than a loop over the characters. */
const maxLoopLength = 32

/** True when a text can stand between the quotes of hstore as it is: nothing to escape, and nothing to refuse. */
export function isPlain(text: string): boolean {
  if (text.length > maxLoopLength) return !special.test(text)
  for (let at = 0; at < text.length; at += 1) {
    if (isSpecial(text.charCodeAt(at))) return false
  }
  return true
}

function isSpecial(unit: number): boolean {
  return unit === 0x22 || unit === 0x5c || unit === 0 || (unit >= 0xd800 && unit <= 0xdfff)
}
