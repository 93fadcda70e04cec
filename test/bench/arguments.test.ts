import { describe, expect, it } from 'vitest'
import { DEFAULT_ROUNDS, parseArguments } from '../../bench/arguments.ts'
import { UsageError } from '../../src/cli/arguments/usage-error.ts'

const known = ['get', 'put']

describe('the arguments of the bench', () => {
  it('have defaults', () => {
    const expected = { isHelp: false, isJson: false, isSmoke: false, rounds: DEFAULT_ROUNDS, only: [], save: undefined }
    expect(parseArguments([], known)).toEqual(expected)
  })

  it('name workloads with commas or one by one', () => {
    expect(parseArguments(['--only', 'get,put'], known).only).toEqual(['get', 'put'])
    expect(parseArguments(['--only=put', '--only', 'get'], known).only).toEqual(['put', 'get'])
  })

  it('take fewer rounds for the smoke form, unless they are given', () => {
    expect(parseArguments(['--smoke'], known).rounds).toBeLessThan(DEFAULT_ROUNDS)
    expect(parseArguments(['--smoke', '--rounds', '9'], known).rounds).toBe(9)
  })

  it.each([
    [['--only', 'got'], 'no workload "got": get, put'],
    [['--only', ''], 'no workload "": get, put'],
    [['--rounds', '0'], '--rounds must be an integer from 1 to 1000, got "0"'],
    [['--rounds', '1.5'], '--rounds must be an integer from 1 to 1000, got "1.5"'],
    [['--rounds', '1e2'], '--rounds must be an integer from 1 to 1000, got "1e2"'],
    [['--save', '../x'], '--save must be a file name of letters, digits, dots and dashes, got "../x"'],
    [['--fast'], /Unknown option '--fast'/],
    [['get'], /Unexpected argument 'get'/],
  ])('refuse %j', (args, message) => {
    expect(() => parseArguments(args, known)).toThrow(UsageError)
    expect(() => parseArguments(args, known)).toThrow(message)
  })
})
