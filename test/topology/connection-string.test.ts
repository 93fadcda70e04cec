import { describe, expect, test } from 'vitest'
import { parse } from 'pg-connection-string'
import { parseCatalogConnection } from '../../src/catalog/catalog.ts'
import { settingsOfConnection } from '../../src/catalog/connection-settings.ts'
import { parseConnections } from '../../src/topology/connection-entry.ts'

/** Everything that reads a connection string. */
const readers: readonly [string, (connectionString: string) => unknown][] = [
  ['connections', (connectionString) => parseConnections([{ shards: '1-2', connectionString }])],
  ['a catalog', (connectionString) => parseCatalogConnection(connectionString)],
  ['a catalog as an object', (connectionString) => parseCatalogConnection({ connectionString })],
  [
    'a server of a catalog',
    (connectionString) => settingsOfConnection({ connectionString }, { env: 'PG' }, 'the server'),
  ],
]

describe.each(readers)('%s', (_, read) => {
  test.each([
    'postgres://u:12/ss@h/d',
    'postgres://u:se/cret@h/d',
    'postgres://u:/secret@h/d',
    'postgres://u:secret/@h/d',
    'postgres://u/x:secret@h/d',
    'postgres://u:12/ss@h',
    'postgres://u:12/s?s@h/d',
    'postgres://u:se#cret@h/d',
    'postgres://u:12#ss@h/d',
    'postgres://u:secret#@h/d',
    'postgres://u:se?cret@h/d',
    'postgres://u:12?ss@h/d',
    'postgres://u:12?s=s@h/d',
    'postgres://u:12?ss=@h/d?sslmode=require',
    'postgres://u:se@cret@h/d',
    'postgres://u:se@cret/more@h/d',
    'postgres://u:se@cret?more@h/d',
    'postgres://u@org:secret@h/d',
    'postgres://u:se:cret@h/d',
    'postgres://u::secret@h/d',
    'postgres://u:secret%@h/d',
    'postgres://u:50%secret@h/d',
    'postgres://u:a%2Fsecret%zz@h/d',
    'postgres://u:%ffsecret@h/d',
    'postgres://u:se cret@h/d',
    'postgres://u: secret@h/d',
    'postgres://u:a%2Fsecret@h/my db',
    'postgres://u:se\tcret@h/d',
    'postgres://u:se\ncret@h/d',
    'postgresql://u:12/ss@h/d',
    'POSTGRES://u:12/ss@h/d',
    'postgres://h/d?user=u&password=se+cret',
    'postgres://h/d?user=u&password=se&cret',
    'postgres://h/d?user=u&password=se#cret',
    'postgres://h/d?user=u&password=secret%zz',
  ])('refuses %j, says what to percent-encode, and repeats nothing of it', (text) => {
    const error = (() => {
      try {
        return read(text)
      } catch (caught) {
        return caught
      }
    })()
    expect(error).toBeInstanceOf(TypeError)
    const { message } = error as TypeError
    expect(message).toContain('Percent-encode')
    expect(message).toContain('/ as %2F, # as %23, ? as %3F, @ as %40, : as %3A, % as %25, a space as %20')
    expect(message).not.toMatch(/cret|12|org|50|zz/)
  })
})

describe('a connection string that means what it looks like', () => {
  test.each<[string, Record<string, unknown>]>([
    ['postgres://h/d', { host: 'h', database: 'd' }],
    ['postgres://h', { host: 'h' }],
    ['postgres://h:5433/d', { host: 'h', port: '5433' }],
    ['postgres://u@h/d', { user: 'u', password: '' }],
    ['postgres://u:@h/d', { user: 'u', password: '' }],
    ['postgres://u:p@h/d', { user: 'u', password: 'p', host: 'h', database: 'd' }],
    ['postgres://u:p@h:5433/d', { password: 'p', port: '5433' }],
    ['postgres://u:p@h/d\n', { password: 'p', database: 'd' }],
    ['postgres://u:12%2Fss@h/d', { password: '12/ss', host: 'h' }],
    ['postgres://u:a%23b%3Fc%40d%3Ae%25f%20g@h/d', { password: 'a#b?c@d:e%f g', host: 'h' }],
    ['postgres://u%40org:p@h/d', { user: 'u@org', password: 'p' }],
    ["postgres://u:a!$&'()*+,;=~-._b@h/d", { password: "a!$&'()*+,;=~-._b" }],
    ['postgres://u:gr%C3%BCn@h/d', { password: 'grün' }],
    ['postgres://u:grün@h/d', { password: 'grün' }],
    ['postgres://u:p@[::1]:5433/d', { host: '::1', port: '5433', password: 'p' }],
    ['postgres://[2001:db8::1]/d', { host: '2001:db8::1' }],
    ['postgres://u:p@%2Fvar%2Frun%2Fpostgresql/d', { host: '/var/run/postgresql', password: 'p' }],
    ['postgres://u:p@/d?host=/var/run/postgresql', { host: '/var/run/postgresql', password: 'p', database: 'd' }],
    ['postgres:///d?host=/var/run/postgresql&port=5433', { host: '/var/run/postgresql', port: '5433' }],
    ['postgres://u:p@h/d?application_name=a/b@c', { application_name: 'a/b@c', password: 'p' }],
    ['postgres://h:5433/d?user=u@org&password=a/b@c?d', { user: 'u@org', password: 'a/b@c?d', port: '5433' }],
    ['postgres://h:5433?password=a@b', { password: 'a@b', port: '5433' }],
    ['postgres://u:p@h/d?options=-c%20search_path%3Da', { options: '-c search_path=a' }],
    ['postgres://u:p@h/d?options=-c geqo=off', { options: '-c geqo=off' }],
    ['postgres://u:p@h/my%20db', { database: 'my db' }],
    ['postgres://h/d@b', { host: 'h', database: 'd@b' }],
    ['socket:/var/run/postgresql?db=d', { host: '/var/run/postgresql', database: 'd' }],
    ['/var/run/postgresql d', { host: '/var/run/postgresql', database: 'd' }],
  ])('passes: %j', (text, meaning) => {
    for (const [, read] of readers.slice(0, 3)) expect(() => read(text)).not.toThrow()
    expect(parse(text)).toMatchObject(meaning)
  })
})
