import { describe, expect, it } from 'vitest'
import type { IndexDefinition } from '../../src/index.ts'
import { checkDefinition } from '../../src/schema/indexes/index-definition.ts'

describe('a definition', () => {
  it.each<[unknown, typeof TypeError | typeof RangeError, string]>([
    [undefined, TypeError, 'an index must be an object of kind, '],
    [{ on: 'a', where: 1 }, TypeError, 'unknown part where of an index'],
    [{}, TypeError, "on must be 'body' or a key of it, got undefined"],
    [{ on: 5 }, TypeError, "on must be 'body' or a key of it, got number"],
    [{ on: 'a\0' }, RangeError, 'must not contain NUL'],
    [{ on: 'a', kind: 1.5 }, RangeError, 'kind must be an integer'],
    [{ on: 'a', method: 'gin' }, RangeError, "method must be 'btree' for an index on a key of the body, got 'gin'"],
    [{ on: 'body', method: 'btree' }, RangeError, "method must be 'gin' for an index on the body, got 'btree'"],
    [
      { on: 'a', cast: 'timestamptz' },
      RangeError,
      "cast must be one of smallint, integer, bigint, numeric, double precision, boolean, uuid, got 'timestamptz'",
    ],
    [{ on: 'body', cast: 'integer' }, RangeError, 'cast is for an index on a key'],
    [{ on: 'body', unique: true }, RangeError, 'unique is for an index on a key'],
    [{ on: 'a', unique: 'yes' }, TypeError, 'unique must be true or false, got string'],
  ])('%j is refused before anything is sent', (definition, type, message) => {
    const check = (): unknown => checkDefinition(definition)
    expect(check).toThrow(type)
    expect(check).toThrow(message)
  })

  it('has another name for another definition', () => {
    const definitions: IndexDefinition[] = [
      { on: 'a' },
      { on: 'a', kind: 1 },
      { on: 'a', unique: true },
      { on: 'a', cast: 'bigint' },
      { on: 'A' },
      { on: 'body' },
      { on: { field: 'body' } },
    ]
    const names = definitions.map((each) => checkDefinition(each).name)
    expect(new Set(names).size).toBe(definitions.length)
  })
})
