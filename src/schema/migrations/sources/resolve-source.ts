import { resolve } from 'node:path'
import { describeType } from '../../../arguments/arguments.ts'
import { fromDrizzle } from './drizzle.ts'
import { fromFolder } from './folder.ts'
import { fromKysely } from './kysely.ts'
import type { MigrationSource } from './migration-source.ts'

/**
 * Migrations as an option names them: a folder of files such as `0001_name.sql`, a folder of Drizzle Kit or of Kysely, or
 * what `fromFolder()`, `fromDrizzle()` and `fromKysely()` give.
 */
export type MigrationsOption = string | { readonly drizzle: string } | { readonly kysely: string } | MigrationSource

const adapters = { drizzle: fromDrizzle, kysely: fromKysely } as const

/** The source that an option names; `undefined` for none. TypeError says what is accepted. */
export function resolveSource(option: unknown, baseFolder = process.cwd()): MigrationSource | undefined {
  if (option === undefined) return undefined
  if (typeof option === 'string' && option !== '') return fromFolder(resolve(baseFolder, option))
  if (typeof option === 'object' && option !== null) return resolveObject(option, baseFolder)
  throw typeError(describeType(option))
}

function resolveObject(option: object, baseFolder: string): MigrationSource {
  if ('load' in option && typeof option.load === 'function') return option as MigrationSource
  const entries = Object.entries(option)
  const [name = '', folder] = entries[0] ?? []
  if (entries.length !== 1 || !(name in adapters) || typeof folder !== 'string') {
    throw typeError(`an object with ${entries.map(([key]) => key).join(', ') || 'nothing'}`)
  }
  return adapters[name as keyof typeof adapters](resolve(baseFolder, folder))
}

function typeError(got: string): TypeError {
  return new TypeError(
    `migrations must be a folder, { drizzle: folder }, { kysely: folder } or the result of fromFolder() and similar functions, got ${got}`,
  )
}
