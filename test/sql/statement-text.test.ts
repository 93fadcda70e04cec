import { expect, test } from 'vitest'
import { outlivesSweep, readControl } from '../../src/sql/statement-text.ts'

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
  ['/* a /* b */ c */ commit', { commits: true, controls: true }],
  [`/* a /* b */ ' */ select 1; commit; -- '`, { commits: true, controls: true }],
  ['/* a /* b */ ; commit; */ select 1', {}],
  ['prepare p as select 1', {}],
  [`commit prepared 'x'`, {}],
])('%j', (text, expected) => {
  expect(readControl(text)).toEqual({ ...nothing, ...expected })
})

test.each<[string, boolean]>([
  ['select 1', false],
  ['select load, seed from t where load is null', false],
  [`do $$ begin perform set_config('search_path', 'x', false); end $$`, false],
  [`do language plpgsql 'begin null; end'`, false],
  ['set role x', false],
  [`/* x */ LOAD 'auto_explain'`, true],
  [`select 1; load $$auto_explain$$`, true],
  ['set session seed = 0.5', true],
  ['SET seed TO 0.5', true],
  ['select setseed(0.5)', true],
  [`do $$ begin perform SetSeed(0.5); end $$`, true],
  [`do language plperl $$ $_SHARED{a} = 1 $$`, true],
  [`do $$ x = 1 $$ language plpython3u`, true],
  [`select pg_create_logical_replication_slot('s', 'pgoutput', true)`, true],
  [`select pg_copy_physical_replication_slot('s', 't', true)`, true],
  [`select pg_catalog.pg_backup_start('x')`, true],
  [`select pg_replication_origin_session_setup('x')`, true],
  [`select dblink_connect('a', 'host=x'), dblink_connect_u('b', 'host=x')`, true],
])('%j outlives a sweep: %s', (text, expected) => {
  expect(outlivesSweep(text)).toBe(expected)
})
