import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { readBody } from '../../src/cli/arguments/body-argument.ts'

const read = (args: string[], stdin = ''): ReturnType<typeof readBody> => readBody(args, Readable.from([stdin]))

describe('a body on the command line', () => {
  test('is pairs, of which the first = separates', async () => {
    expect(await read(['beep=boop', 'empty=', 'sum=1+1=2', '=no name'])).toEqual({
      beep: 'boop',
      empty: '',
      sum: '1+1=2',
      '': 'no name',
    })
  })

  test('is one JSON object of text and null', async () => {
    expect(await read([' {"beep":"boop","gone":null}'])).toEqual({ beep: 'boop', gone: null })
  })

  test('is such an object on standard input', async () => {
    expect(await read(['-'], '{"beep":\n"boop"}\n')).toEqual({ beep: 'boop' })
  })

  test('may have the key __proto__', async () => {
    expect(Object.entries(await read(['__proto__=x']))).toEqual([['__proto__', 'x']])
  })

  test.each([
    [['{"a":1}'], 'body.a must be a string or null'],
    [['{"a":"\\u0000"}'], 'body.a must not contain NUL'],
    [['{"a":"x"'], 'body: it is not JSON'],
    [['-'], 'body: it is not JSON'],
    [['a=1', 'b'], 'body: part 2 is not a key=value pair'],
    [['a=1', 'a=2'], 'body: the key "a" is given twice'],
  ])('%j is a usage error that says %s', async (args, message) => {
    const refusal = read(args)
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.toHaveProperty('name', 'UsageError')
  })
})
