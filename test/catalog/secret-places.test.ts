import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { RefusedSecret, SecretPlaces, type SecretsOptions } from '../../src/catalog/secret-places.ts'
import { matchesHost } from '../../src/catalog/host-pattern.ts'
import { WatchedFolder } from '../../src/embedded/watched-folder.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

let root: string

/** A folder that is allowed, one beside it with the same beginning, and links in all directions. */
beforeAll(() => {
  root = realpathSync(makeTemporaryFolder('places'))
  for (const folder of ['allowed/below', 'allowed-not', 'elsewhere']) mkdirSync(join(root, folder), { recursive: true })
  for (const file of ['allowed/own', 'allowed/below/deep', 'allowed-not/own', 'elsewhere/own']) {
    writeFileSync(join(root, file), 'secret')
  }
  const link = (from: string, to: string): void => symlinkSync(join(root, to), join(root, from))
  link('allowed/out', 'elsewhere/own')
  link('allowed/folder-out', 'elsewhere')
  link('allowed/in', 'allowed/below/deep')
  link('elsewhere/in', 'allowed/own')
  link('linked', 'allowed')
})

const refusal = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('a file', () => {
  it.each([
    ['allowed/own', 'allowed/own'],
    ['allowed/below/deep', 'allowed/below/deep'],
    ['allowed/below/../own', 'allowed/own'],
    ['allowed/in', 'allowed/below/deep'],
    ['elsewhere/in', 'allowed/own'],
    ['linked/own', 'allowed/own'],
  ])('%s is in the folder, as %s', (named, expected) => {
    for (const folder of ['allowed', 'allowed/', 'linked']) {
      expect(new SecretPlaces({ folders: [join(root, folder)] }).resolveFile(`${root}/${named}`)).toBe(
        join(root, expected),
      )
    }
  })

  it.each([
    'elsewhere/own',
    'allowed-not/own',
    'allowed/../elsewhere/own',
    'allowed/out',
    'allowed/folder-out/own',
    'allowed/folder-out/../../elsewhere/own',
    'allowed',
    'allowed/.',
    'not-there',
    'allowed/../not-there',
  ])('%s is not', (named) => {
    const places = new SecretPlaces({ folders: [join(root, 'allowed')] })
    expect(refusal(() => places.resolveFile(`${root}/${named}`))).toBeInstanceOf(RefusedSecret)
  })

  it('of this machine, of the process or of a service account is refused by default', () => {
    const places = new SecretPlaces()
    const files = ['/etc/passwd', '/proc/self/environ', '/dev/stdin', '/dev/zero', 'package.json', '~/.pgpass', '']
    const tokens = ['kubernetes.io/serviceaccount/token', '../secrets/kubernetes.io/token', '../../etc/passwd']
    for (const file of [...files, ...tokens.map((each) => `/run/secrets/${each}`)]) {
      expect(
        refusal(() => places.resolveFile(file)),
        file,
      ).toBeInstanceOf(RefusedSecret)
    }
    expect(refusal(() => places.resolveFile('/run/secrets/hypervault-is-not-there'))).toMatchObject({ code: 'ENOENT' })
  })

  it('that is not there is told as such where it may be', () => {
    const places = new SecretPlaces({ folders: [join(root, 'allowed')] })
    expect(refusal(() => places.resolveFile(join(root, 'allowed/none')))).toMatchObject({ code: 'ENOENT' })
  })

  it('in the folder of servers for development may be read, and in one that looks like it may not', async () => {
    const own = new WatchedFolder('passwords', 0o700)
    writeFileSync(join(own.path, 's1'), 'x')
    const places = new SecretPlaces({ folders: [] })
    expect(places.resolveFile(join(own.path, 's1'))).toBe(realpathSync(join(own.path, 's1')))
    const like = join(root, 'hypervault-passwords-0123456789abcdef')
    mkdirSync(like)
    writeFileSync(join(like, 's1'), 'x')
    symlinkSync('/etc/passwd', join(own.path, 's2'))
    for (const file of [join(like, 's1'), join(own.path, 's2')]) {
      expect(refusal(() => places.resolveFile(file))).toBeInstanceOf(RefusedSecret)
    }
    rmSync(like, { recursive: true })
    await own.remove()
  })
})

describe('a variable', () => {
  it.each<[SecretsOptions, string[], string[]]>([
    [
      {},
      ['HYPERVAULT_PASSWORD_S1', 'HV_S1', 'PG_S3', 'PGPASSWORD'],
      [
        'HOME',
        'AWS_SECRET_ACCESS_KEY',
        'DATABASE_URL',
        'PGP_KEY',
        'HYPERVAULT_CATALOG',
        'HYPERVAULT_CONNECTIONS',
        'hv_s1',
      ],
    ],
    [{ variablePrefixes: ['APP_DB_'] }, ['APP_DB_1'], ['APP_KEY', 'PG_S3', 'HYPERVAULT_PASSWORD_S1']],
    [{ variablePrefixes: ['HYPERVAULT'] }, ['HYPERVAULT_PASSWORD_S1'], ['HYPERVAULT_CATALOG']],
    [{ variablePrefixes: [] }, [], ['PG_S3', 'PGPASSWORD']],
  ])('with %j', (options, allowed, refused) => {
    const places = new SecretPlaces(options)
    for (const name of allowed) expect(() => places.assertVariable(name), name).not.toThrow()
    for (const name of refused) expect(() => places.assertVariable(name), name).toThrow(RefusedSecret)
  })
})

describe('a host', () => {
  it.each([
    ['db1', ['db1', 'DB1', 'db1.'], ['db11', 'xdb1', 'db1.example.com', '']],
    [
      '*.db.internal',
      ['a.db.internal', 'a.b.db.internal', 'A.DB.INTERNAL'],
      [
        'db.internal',
        '.db.internal',
        'a.db.internal.example.com',
        'adb.internal',
        'a.dbxinternal',
        'a b.db.internal',
        'a.db.internal/x',
        'a.db.internal\n.example.com',
        'evil.com#.db.internal',
        'evil.com\u3002db.internal',
      ],
    ],
    ['db-*.internal', ['db-1.internal', 'db-.internal'], ['db-1.example.com.internal', 'db-1.internal.example.com']],
    ['10.0.0.*', ['10.0.0.1', '10.0.0.25'], ['10.0.0.1.example.com', '10.0.01', '110.0.0.1']],
    ['::1', ['::1'], ['::11', '1']],
    ['/run/postgresql', ['/run/postgresql'], ['/run/postgresql/x', '/RUN/postgresql', 'run']],
  ])('%s', (pattern, matching, others) => {
    expect(matching.filter((host) => !matchesHost(host, pattern))).toEqual([])
    expect(others.filter((host) => matchesHost(host, pattern))).toEqual([])
  })
})

describe('the option secrets', () => {
  it.each<[unknown, string]>([
    [5, 'secrets takes an object of options'],
    [{ folder: '/x' }, 'unknown option folder'],
    [{ folders: '/x' }, 'secrets.folders must be an array'],
    [{ folders: [5] }, 'secrets.folders[0] must be a string'],
    [{ folders: ['secrets'] }, 'secrets.folders[0] must be an absolute path'],
    [{ variablePrefixes: [''] }, 'secrets.variablePrefixes[0] must be the beginning'],
    [{ variablePrefixes: ['*'] }, 'secrets.variablePrefixes[0] must be the beginning'],
    [{ hosts: ['*'] }, 'secrets.hosts[0] must be a host or a pattern'],
    [{ hosts: ['*.*'] }, 'secrets.hosts[0] must be a host or a pattern'],
    [{ hosts: [''] }, 'secrets.hosts[0] must be a host or a pattern'],
    [{ hosts: ['postgres://db1'] }, 'secrets.hosts[0] must be a host or a pattern'],
  ])('%j is refused', (options, problem) => {
    expect(() => new SecretPlaces(options as SecretsOptions)).toThrow(problem)
  })
})
