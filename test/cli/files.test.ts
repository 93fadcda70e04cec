import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { explainFile } from '../../src/arguments/file-failure.ts'
import { cliCommand, makeFolder, runCli } from './run-cli.ts'

/** A folder with a configuration of a server that nobody asks, and whatever the preparation adds. */
const connections = '[{"shards":"1-3","host":"127.0.0.1","port":1,"password":"hunter2"}]'

interface FileCase {
  readonly name: string
  readonly files?: Readonly<Record<string, string>>
  readonly folders?: readonly string[]
  readonly links?: Readonly<Record<string, string>>
  readonly args: readonly string[]
  /** What standard error has to say, the hint as well. */
  readonly says: readonly string[]
}

const config = (name: string, content: string, ...says: string[]): FileCase => ({
  name: `a configuration ${name}: ${content}`,
  files: { [name]: content },
  args: ['status', '--config', name],
  says: [name, ...says],
})

const cases: readonly FileCase[] = [
  {
    name: 'a configuration that is a folder',
    folders: ['hypervault.config.json'],
    args: ['status'],
    says: ['hypervault.config.json: it cannot be read: it is a folder', 'Name a file.'],
  },
  {
    name: 'a configuration that is named, and a folder',
    folders: ['x.json'],
    args: ['status', '--config', 'x.json'],
    says: ['x.json: it cannot be read: it is a folder', 'Name a file.'],
  },
  {
    name: 'a configuration that is a link to nothing',
    links: { 'hypervault.config.json': 'nowhere' },
    args: ['status'],
    says: ['hypervault.config.json is a link to a file that does not exist'],
  },
  {
    name: 'a configuration whose links lead in a circle',
    links: { 'x.json': 'x.json' },
    args: ['status', '--config', 'x.json'],
    says: ['x.json: it cannot be read: its symbolic links form a loop', 'name the file itself'],
  },
  {
    name: 'a configuration below a file',
    files: { x: '' },
    args: ['status', '--config', 'x/y.json'],
    says: ['there is no configuration file', 'x/y.json'],
  },
  {
    name: 'a configuration of another name',
    files: { 'hypervault.config.js': '' },
    args: ['status'],
    says: ['though it has hypervault.config.js', 'Rename hypervault.config.js'],
  },
  config('x.json', '{"connections": [{"password":"hunter2",}]}', 'it is not JSON: see line 1', 'Correct'),
  config('x.mjs', 'export const connections = []', 'as its default export', 'It has no default export'),
  config('x.mjs', 'export default () => ({})', 'as its default export', 'It holds function'),
  config('x.mjs', 'module.exports = {}', 'module is not defined', 'write `export` and `import`'),
  config('x.mjs', "const fs = require('fs')", 'require is not defined', 'write `export` and `import`'),
  config('x.mjs', "import 'pg-none'", "'pg-none'", 'npm install pg-none'),
  config('x.ts', "import 'pg-none'; export default {}", "'pg-none'", 'npm install pg-none'),
  config('x.mjs', "import './none.mjs'", 'none.mjs', 'Correct the path of the import.'),
  config(
    'x.mjs',
    "import fs from 'node:fs'; fs.readFileSync('./none.pem')",
    'it uses ./none.pem, which fails: it does not exist',
    'Correct the name',
  ),
  config('x.mjs', "throw new Error('no way\\nhunter2')", 'no way', 'throws that while it is loaded'),
  config('x.ts', "throw new Error('no way\\nhunter2')", 'no way', 'throws that while it is loaded'),
  config('x.mjs', "throw 'a text'", 'a text', 'throws that while it is loaded'),
  config('x.yaml', '', 'the name must end in .ts, .mjs or .json'),
  {
    name: 'a folder of migrations that is not there',
    args: ['migrate', 'plan', '--dir', 'none'],
    says: ['none: it does not exist', 'npx pg-hypervault migrate new'],
  },
  {
    name: 'a folder of migrations that is a file',
    files: { db: '' },
    args: ['migrate', 'plan', '--dir', 'db'],
    says: ['db: it is not a folder', 'Name the folder'],
  },
  {
    name: 'a migration that is a folder',
    folders: ['db/0001_x.sql'],
    args: ['migrate', 'plan', '--dir', 'db'],
    says: ['db/0001_x.sql: it is a folder', 'Name a file.'],
  },
  {
    name: 'a migration that is a link to nothing',
    folders: ['db'],
    links: { 'db/0001_x.sql': 'nowhere' },
    args: ['migrate', 'plan', '--dir', 'db'],
    says: ['db/0001_x.sql: it does not exist', 'Correct the name'],
  },
  {
    name: 'a new migration in a folder that is a file',
    files: { db: '' },
    args: ['migrate', 'new', 'x', '--dir', 'db'],
    says: ['db cannot be used: it already exists', 'Remove it, or choose another name.'],
  },
  {
    name: 'a new migration below a file',
    files: { db: '' },
    args: ['migrate', 'new', 'x', '--dir', 'db/new'],
    says: ['db/new cannot be used: part of its path is a file', 'Name a file in a folder.'],
  },
  {
    name: 'an import of a file that is not there',
    args: ['import', 'none.csv', '--kind', '1', '--shard', '1'],
    says: ['none.csv cannot be read: it does not exist', 'Correct the name'],
  },
  {
    name: 'an import of a folder',
    folders: ['x.csv'],
    args: ['import', 'x.csv', '--kind', '1', '--shard', '1'],
    says: ['x.csv cannot be read: it is a folder', 'Name a file.'],
  },
]

describe('a file that cannot be used is named with the remedy', () => {
  test.each(cases.map((each) => [each.name, each] as const))(
    '%s',
    async (_, { files = {}, folders = [], links = {}, args, says }) => {
      await using folder = await makeFolder(files)
      for (const each of folders) await mkdir(join(folder.path, each), { recursive: true })
      for (const [link, target] of Object.entries(links)) await symlink(target, join(folder.path, link))
      const env = args[0] === 'status' ? {} : { HYPERVAULT_CONNECTIONS: connections }
      const { stdout, stderr, exitCode } = await runCli(args, { cwd: folder.path, env })
      expect({ stdout, isFailure: exitCode === 1 || exitCode === 2 }).toEqual({ stdout: '', isFailure: true })
      for (const each of says) expect(stderr).toContain(each)
      expect(stderr).not.toMatch(/^\s+at |hunter2|HYPERVAULT_DEBUG/m)
    },
  )

  test.skipIf(process.platform !== 'linux')('standard output on a full disk is a failure', async () => {
    await using folder = await makeFolder()
    const full = openSync('/dev/full', 'w')
    const [command = '', ...rest] = cliCommand(['key', '--json', '1', '2'])
    const child = spawn(command, rest, { cwd: folder.path, stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    const [said, [exitCode]] = await Promise.all([text(child.stderr as NodeJS.ReadableStream), once(child, 'close')])
    expect(exitCode).toBe(1)
    expect(said).toContain('standard output could not be written: the disk is full')
    expect(said).toContain('Free space on the disk, then run the same again.')
  })

  test.each([
    ['EACCES', 'read', 'permission is denied', 'Let this user read it'],
    ['EACCES', 'write', 'permission is denied', 'let this user read and write there'],
    ['ENOSPC', 'write', 'the disk is full', 'Free space'],
    ['EROFS', 'write', 'the file system is read-only', 'is writable'],
    ['ENOENT', 'write', 'its folder does not exist', 'Create the folder'],
  ] as const)('%s of a file to %s', (code, use, what, hint) => {
    expect(explainFile(Object.assign(new Error('refused'), { code }), use)).toMatchObject({
      reason: code,
      what,
      hint: expect.stringContaining(hint) as string,
    })
  })
})
