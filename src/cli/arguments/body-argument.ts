import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { assertBody } from '../../hstore/assert-body.ts'
import type { Body } from '../../hstore/body.ts'
import { parseJsonText } from '../terminal/json-text.ts'
import { checkUsage, UsageError } from './usage-error.ts'

const HINT = `Pass key=value pairs, one JSON object such as '{"beep":"boop","gone":null}', or - for standard input.`

/** Reads a body: `key=value` pairs, one JSON object of text and null, or `-` for such an object on standard input. */
export async function readBody(args: readonly string[], stdin: Readable): Promise<Body> {
  const [first = ''] = args
  if (args.length === 1 && first === '-') return parseObject(await text(stdin))
  if (args.length === 1 && first.trimStart().startsWith('{')) return parseObject(first)
  return checkBody(parsePairs(args))
}

function parseObject(json: string): Body {
  try {
    return checkBody(parseJsonText(json))
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`body: ${error.message}`, HINT)
    throw error
  }
}

/** The first `=` separates; the value may hold more of them. */
function parsePairs(args: readonly string[]): Body {
  const pairs = args.map(parsePair)
  const names = pairs.map(([name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`body: the key ${JSON.stringify(twice)} is given twice`, HINT)
  return Object.fromEntries(pairs)
}

function parsePair(text: string, index: number): [string, string] {
  const at = text.indexOf('=')
  if (at === -1) throw new UsageError(`body: part ${index + 1} is not a key=value pair`, HINT)
  return [text.slice(0, at), text.slice(at + 1)]
}

function checkBody(body: unknown): Body {
  return checkUsage(() => {
    assertBody(body)
    return body
  })
}
