import { describeType } from '../../arguments/arguments.ts'
import { bigintCodec, booleanCodec, numberCodec, textCodec, timestampCodec } from './codecs.ts'
import { fromJsonTree, isTooDeep, toJsonTree, type JsonTree, type WriteLeaf } from './json-tree.ts'
import { misfit } from './misfit.ts'

/*
 * The texts of values whose types only a schema knows. A text is read as what it looks like:
 *
 *   text                                        value
 *   a number as JavaScript prints it: -1.5      number
 *   true, false                                 boolean
 *   12n                                         bigint
 *   2014-11-15T14:11:06.450Z                    Date
 *   JSON that begins with { or [                object or array, whose texts are read by the last three lines
 *   JSON that begins with "                     string
 *   anything else                               string
 *
 * A string is written as it is, and as JSON if it would be read as something else: Ankara, but "5" in quotes. So every
 * text can be read, each value has exactly one text, and what is written by other programs is mostly what they meant.
 * Inside JSON a string that would be read as a bigint, a Date or a string is written as JSON within JSON.
 *
 * Null is hstore's null at the top and JSON's inside. What is undefined is not there. -0 becomes 0.
 */

/** The text of a value that is neither null nor undefined. Throws a misfit for what has none. */
export function writeValue(value: unknown): string {
  if (typeof value === 'string') return readValue(value) === value ? textCodec.write(value) : JSON.stringify(value)
  if (typeof value === 'number') return numberCodec.write(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return timestampCodec.write(value)
  return JSON.stringify(toJsonTree(value, writeNestedLeaf))
}

/** The value of a text. Any text has one. */
export function readValue(text: string): unknown {
  const first = text.charCodeAt(0)
  if (first === OPENING_BRACE || first === OPENING_BRACKET) return readJson(text)
  if (first === QUOTE || first === MINUS || first === PLUS || isDigit(first)) return readScalar(text)
  return text === 'true' || text === 'false' ? booleanCodec.read(text, nowhere) : text
}

const OPENING_BRACE = 0x7b
const OPENING_BRACKET = 0x5b
const QUOTE = 0x22
const MINUS = 0x2d
const PLUS = 0x2b

/** Longest text of a number or a time. */
const MAX_SCALAR_LENGTH = 32

/** None of the codecs that are used here asks where it is. */
const nowhere = { epochMs: 0 }

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

function readScalar(text: string): unknown {
  if (text.length <= MAX_SCALAR_LENGTH) {
    const value = Number(text)
    if (Number.isFinite(value) && String(value) === text) return value
  }
  return readNested(text)
}

/** What a string inside JSON stands for: itself, unless it looks like something that JSON has no form for. */
function readNested(text: string): unknown {
  if (text.startsWith('"')) return readQuoted(text)
  if (/^-?[1-9]\d*n$|^0n$/.test(text)) return bigintCodec.read(text.slice(0, -1), nowhere)
  if (text.length > MAX_SCALAR_LENGTH || !text.endsWith('Z')) return text
  const time = new Date(text)
  return Number.isNaN(time.getTime()) || time.toISOString() !== text ? text : time
}

function readQuoted(text: string): string {
  const value = parseJson(text)
  return typeof value === 'string' && JSON.stringify(value) === text ? value : text
}

function readJson(text: string): unknown {
  const tree = parseJson(text)
  if (tree === undefined || isTooDeep(tree)) return text
  return fromJsonTree(tree, readNested)
}

/** Undefined for invalid JSON: the error of V8 would quote it. */
function parseJson(text: string): JsonTree | undefined {
  try {
    return JSON.parse(text) as JsonTree
  } catch {
    return undefined
  }
}

const writeNestedLeaf: WriteLeaf = (value) => {
  if (typeof value === 'string') return readNested(value) === value ? value : JSON.stringify(value)
  if (typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return Number(numberCodec.write(value))
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return timestampCodec.write(value)
  throw misfit(`${describeType(value)} cannot be stored`)
}
