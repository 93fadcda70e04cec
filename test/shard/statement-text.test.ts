import { expect, test } from 'vitest'
import { changesSession, readControl } from '../../src/shard/query/statement-text.ts'

const nothing = { begins: false, commits: false, goesOn: false, controls: false }

test.each<[string, Partial<typeof nothing>]>([
  ['select 1', {}],
  ['begin', { begins: true, controls: true }],
  [
    '\n -- a comment\n /* another */ START\n transaction isolation level serializable',
    { begins: true, controls: true },
  ],
  ['begin; insert into t values (1); commit', { begins: true, commits: true, controls: true }],
  ['COMMIT', { commits: true, controls: true }],
  ['end;', { commits: true, controls: true }],
  ['rollback', { controls: true }],
  ['abort', { controls: true }],
  [`prepare transaction 'x'`, { controls: true }],
  ['savepoint a; rollback to a; rollback work to savepoint a; release a', {}],
  ['commit and chain', { commits: true, goesOn: true, controls: true }],
  ['rollback and no chain', { controls: true }],
  ['commit/**/and/**/chain', { commits: true, goesOn: true, controls: true }],
  ['begin; commit; insert into t values (1)', { begins: true, goesOn: true, controls: true }],
  ['commit; begin', { goesOn: true, controls: true }],
  [`select 'a; commit; b', $$; commit; $$, "; commit;" -- ; commit;`, {}],
  ['select case when true then 1 end; select 2', {}],
  ['create function f() returns int begin atomic select 1; select 2; end; select f()', {}],
  ['create function f() returns int begin atomic select 1; end; end; select 1', { goesOn: true, controls: true }],
  ['prepare p as select 1', {}],
  [`commit prepared 'x'`, {}],
])('%j', (text, expected) => {
  expect(readControl(text)).toEqual({ ...nothing, ...expected })
})

test.each<[string, boolean]>([
  ['select 1', false],
  ['update t set a = 1', false],
  ['set search_path to x', true],
  ['select 1; SET\nrole x', true],
  ['set local search_path to x', false],
  ['set transaction isolation level serializable', false],
  ['set constraints all deferred', false],
  [`select set_config('search_path', 'x', false)`, true],
  [`select set_config('app.user', $1, true)`, false],
  [`select set_config('app.user', $1, true), set_config('search_path', $2, $3)`, true],
  [`do $$ begin perform set_config('search_path', 'x', false); end $$`, true],
])('%j changes the session: %s', (text, expected) => {
  expect(changesSession(text)).toBe(expected)
})
