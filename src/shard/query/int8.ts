import type { CustomTypesConfig, PoolClient } from 'pg'

/** How a bigint of the server comes: as text, which is what `pg` does, or as a `bigint`. Numbers would lose digits. */
export type Int8 = 'text' | 'bigint'

const INT8 = 20
const INT8_ARRAY = 1016

type Parser = (text: string) => unknown
type FindParser = (oid: number, format?: 'text' | 'binary') => Parser

/** The type parsers of a client, but with bigints: the client itself, and `pg.types`, stay as they are. */
export function withBigints(client: Pick<PoolClient, 'getTypeParser'>): CustomTypesConfig {
  const findParser = client.getTypeParser.bind(client) as FindParser
  const getTypeParser: FindParser = (oid, format = 'text') => {
    const parse = findParser(oid, format)
    if (format !== 'text') return parse
    if (oid === INT8) return BigInt
    return oid === INT8_ARRAY ? (text) => toBigints(parse(text)) : parse
  }
  return { getTypeParser }
}

/** Arrays may be nested, and hold nulls. */
function toBigints(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBigints)
  return typeof value === 'string' ? BigInt(value) : value
}
