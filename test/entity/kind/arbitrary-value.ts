import fc from 'fast-check'

/** Texts that PostgreSQL can hold. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Texts that PostgreSQL can hold, with such that look like something else. */
export const storableText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).filter(isStorable),
  fc.constantFrom('', 'NULL', '5', 'true', '1n', '"', '\\', "o'b", '{}', '[1]', '2014-11-15T14:11:06.450Z', '東'),
)

/** Times that a Date can hold. */
export const time = fc.date({ noInvalidDate: true })

/** Finite numbers but -0, which is stored as 0. */
export const finiteNumber = fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => value + 0)

/** Values that a schema may give, and that are not null at the top. */
export const schemaValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; nested: unknown }>((tie) => {
  const name = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('__proto__', 'constructor', 'toJSON'))
  const scalar = fc.oneof(storableText, finiteNumber, fc.boolean(), fc.bigInt(), time)
  const nested = fc.oneof({ maxDepth: 4 }, scalar, fc.constant(null), tie('value'))
  return {
    nested,
    value: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(tie('nested'), { maxLength: 3 }),
      fc.dictionary(name, tie('nested'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }
}).value

/** Values that JSON holds. */
export const jsonValue: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 3 }).map(withoutNegativeZero)

function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
