/** The colours in use, as the numbers that switch them on and off. */
const codes = { bold: [1, 22], cyan: [36, 39], dim: [2, 22], green: [32, 39], red: [31, 39] } as const

/** A colour of the terminal. */
export type Colour = keyof typeof codes

/** True for a terminal, unless NO_COLOR is set (no-color.org) or the terminal cannot. */
export function hasColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
}

/** The text in a colour. */
export function paint(colour: Colour, text: string): string {
  const [on, off] = codes[colour]
  return `\u001b[${on}m${text}\u001b[${off}m`
}
