import { describe, expect, test } from 'vitest'
import { Redactor } from '../../src/cli/terminal/redactor.ts'
import { listSecrets } from '../../src/cli/config/secrets.ts'

const redact = (text: string): string => new Redactor().redact(text)

describe('a line on standard error', () => {
  test.each([
    ['postgres://ada:hunter2@db/x', 'postgres://ada:***@db/x'],
    ['see postgresql://ada:p%40ss:w@rd@db/x now', 'see postgresql://ada:***@db/x now'],
    ['postgres://:hunter2@db/x', 'postgres://:***@db/x'],
    ['{"password":"hun\\"ter2","host":"db"}', '{"password":***,"host":"db"}'],
    ["password: 'hunter2', host", 'password: ***, host'],
    ['postgres://db/x?user=ada&password=hunter2&ssl=true', 'postgres://db/x?user=ada&password=***&ssl=true'],
    ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=*** psql'],
  ])('loses the password that stands in %s', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  test('keeps the words of a refused password, a URL without one, and a host with a port', () => {
    const text = 'password authentication failed for user "ada" at postgres://ada@db:5432/x, http://db:80/'
    expect(redact(text)).toBe(text)
  })

  test('loses known secrets wherever they stand, the longer ones first', () => {
    const redactor = new Redactor()
    redactor.add(['hunter2', 'hunter2-and-more'])
    expect(redactor.redact('database "hunter2-and-more/x" or hunter2?')).toBe('database "***/x" or ***?')
  })

  test('is not torn apart by a known secret of three letters', () => {
    const redactor = new Redactor()
    redactor.add(['x', 'abc'])
    expect(redactor.redact('expected abc')).toBe('expected abc')
  })
})

describe('the secrets of a configuration', () => {
  test('are passwords, those of connection strings as written and as sent, keys of certificates, and PGPASSWORD', () => {
    const connections = [
      { password: 'one' },
      { connectionString: 'postgres://ada:tw%40o@db/x' },
      { connectionString: 'postgres://db/x?user=ada&password=three#f' },
      { ssl: { key: 'four', passphrase: 'five' } },
      { password: () => 'asked for later' },
    ]
    const secrets = listSecrets({ connections }, { PGPASSWORD: 'six' })
    expect(secrets.sort()).toEqual(['five', 'four', 'one', 'six', 'three', 'three', 'tw%40o', 'tw@o'])
  })

  test('are none where there is no configuration', () => {
    expect(listSecrets(undefined, {})).toEqual([])
    expect(listSecrets({ connections: [null, 'text', { connectionString: 'postgres://ada:%zz@db' }] }, {})).toEqual([
      '%zz',
      '%zz',
    ])
  })
})
