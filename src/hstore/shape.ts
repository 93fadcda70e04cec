/*
 * Entities of a kind have the same keys, and a server prints the keys of a body always in the same order. So the keys
 * of bodies that were read before are kept as a tree, and a text is first compared with it: that finds the place of
 * each value without looking for quotes, and uses the same string objects as keys again, which makes the objects alike
 * for the engine and twice as fast to build. It is an optimization only: what does not fit is read the careful way.
 */

/** Bounds of the tree, so that bodies with keys of all sorts cost no memory and no time. */
const MAX_CHILDREN = 8
const MAX_SHAPES = 4_096

/** One key after those of its parents. */
export class Shape {
  readonly key: string
  /** How far the value is from the opening quote of the key: behind `"key"=>`. */
  readonly valueOffset: number
  readonly #children: Shape[] = []

  constructor(key: string) {
    this.key = key
    this.valueOffset = key.length + 4
  }

  /** The key whose opening quote the text has at `at`, if it has been seen there. */
  findNext(text: string, at: number): Shape | undefined {
    for (const child of this.#children) if (child.#isAt(text, at)) return child
    return undefined
  }

  #isAt(text: string, at: number): boolean {
    const arrow = at + this.valueOffset - 3
    if (text.charCodeAt(arrow) !== quote || text.charCodeAt(at) !== quote) return false
    return text.startsWith(this.key, at + 1) && text.startsWith('=>', arrow + 1)
  }

  /** The child of this key, made if there is room for it. */
  ensureNext(key: string): Shape | undefined {
    const known = this.#children.find((child) => child.key === key)
    if (known !== undefined) return known
    if (this.#children.length === MAX_CHILDREN || count === MAX_SHAPES) return undefined
    count += 1
    const child = new Shape(key)
    this.#children.push(child)
    return child
  }
}

const quote = 0x22

let count = 0

/** The empty body, from which all shapes grow. */
export const rootShape = new Shape('')

/** Remembers the keys of a body that was read. They differ from one another, and none needs an escape. */
export function learnShape(keys: readonly string[]): void {
  let shape: Shape | undefined = rootShape
  for (const key of keys) shape = shape?.ensureNext(key)
}
