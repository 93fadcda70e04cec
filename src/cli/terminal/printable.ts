/**
 * A text as JSON writes it, null as `null`: the two stay apart. Controls that JSON leaves as they are get escaped too,
 * because some of them move the cursor of a terminal.
 */
export function printable(value: string | null): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
