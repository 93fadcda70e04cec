import type { Command } from 'commander'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Context } from '../../src/cli/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { runInProcess } from './run-in-process.ts'

const surroundings = (): ConstructorParameters<typeof Context>[0] =>
  Object.assign(new EventEmitter(), {
    env: {},
    stdin: process.stdin,
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    cwd: () => '/',
  })

const program = createProgram(new Context(surroundings()))

const families = program.commands.filter(({ commands }) => commands.some((each) => each.name() !== 'help'))

const argumentsOf = (command: Command): string[] =>
  command.registeredArguments.filter(({ required }) => required).map(() => '1')

/** Each subcommand with each option that a sibling or its family has, and it has not: as it would be typed. */
const strangers = families.flatMap((family) => {
  const relatives = [family, ...family.commands].flatMap(({ options }) => options)
  return family.commands.flatMap((command) => {
    const own = command.options.flatMap(({ long, short }) => [long, short])
    const foreign = relatives.filter(({ long }) => !own.includes(long))
    return [...new Set(foreign.map(({ long, required }) => `${long}${required ? ' 1' : ''}`))].map((flag) => ({
      family: family.name(),
      typed: [family.name(), command.name(), ...argumentsOf(command), ...flag.split(' ')],
    }))
  })
})

/** The same in front of the name of the subcommand. */
const inFront = families.flatMap((family) =>
  family.options.flatMap(({ long = '', required }) =>
    family.commands.map((command) => [
      family.name(),
      long,
      ...(required ? ['1'] : []),
      command.name(),
      ...argumentsOf(command),
    ]),
  ),
)

const run = (args: readonly string[]): ReturnType<typeof runInProcess> => runInProcess(args, { cwd: '/' })

describe('a subcommand', () => {
  it('refuses every option of its siblings and of its family, behind its name and in front of it', async () => {
    expect(families.map((family) => family.name()).sort()).toEqual([
      'catalog',
      'index',
      'migrate',
      'move',
      'server',
      'spread',
    ])
    expect(strangers.length).toBeGreaterThan(60)
    expect(inFront.length).toBeGreaterThan(20)
    for (const typed of [...strangers.map((each) => each.typed), ...inFront]) {
      const { exitCode, stdout, stderr } = await run(typed)
      const said = /unknown (option|command)|does not accept/.test(stderr) ? 'refused' : stderr
      expect({ typed, exitCode, said, stdout }).toEqual({ typed, exitCode: 2, said: 'refused', stdout: '' })
    }
  })

  it.each([
    'init',
    'adopt',
    'catalog init',
    'catalog import',
    'server add',
    'server set',
    'server drain',
    'server activate',
    'server remove',
    'move',
    'move complete',
    'move reverse',
    'move abort',
    'move resume',
    'rebalance',
    'index create',
    'index drop',
    'spread set',
    'migrate up',
  ])('%s changes the fleet, and has a dry run', (path) => {
    const command = path.split(' ').reduce<Command | undefined>((at, name) => {
      return at?.commands.find((each) => each.name() === name)
    }, program)
    expect(command?.options.map(({ long }) => long)).toContain('--dry-run')
  })

  it.each([
    ['move complete 1', 'move 1 could no longer be reversed'],
    ['move 1 --to s2 --keep-reverse 0ms', 'shard 1 can no longer be reversed'],
    ['rebalance --apply', 'the move can no longer be reversed'],
    ['server remove s1', 'is removed from the catalog'],
    ['index drop hv_index_x', 'is dropped in all shards'],
  ])('"%s" wants --yes where there is no terminal, before anything is connected to', async (typed, what) => {
    const { exitCode, stderr } = await run(typed.split(' '))
    expect(exitCode).toBe(2)
    expect(stderr).toContain(what)
    expect(stderr).toContain('no terminal to ask for confirmation')
    expect(stderr).toContain('add --yes')
  })

  it.each([
    ['rebalance --plan --concurrent 4', '--concurrent requires --apply'],
    ['rebalance --plan --keep-reverse', '--keep-reverse requires --apply'],
    ['rebalance --plan --sample 5s', '--sample requires --by writes'],
  ])('"%s" is refused, because a plan looks at no such option', async (typed, what) => {
    const { exitCode, stderr } = await run(typed.split(' '))
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(what) })
  })
})
