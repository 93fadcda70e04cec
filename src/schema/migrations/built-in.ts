import { checksumOf } from './sql-migration.ts'
import type { LayoutMigration, Migration } from './migration.ts'

/*
 * The built-in migrations: what a shard itself is made of. They come before all others, and are written down beside
 * them. The first one is the shard as provisioning makes it or takes it over from the original, and is more than a
 * list of statements: it looks at what is there and completes it. A later layout of `entities` is one more migration in
 * SQL at the end of this list; one that was released never changes again.
 */

/** Ids of built-in migrations, of this release or of a newer one. */
export const BUILT_IN = /^hv\d{4}$/

/** The shard itself. */
export const layoutMigration: LayoutMigration = Object.freeze({
  kind: 'layout',
  id: 'hv0001',
  name: 'shard',
  checksum: checksumOf('hv0001_shard'),
  isBreaking: false,
  isAlone: false,
})

/** All of them, the oldest first. */
export const builtInMigrations: readonly Migration[] = Object.freeze([layoutMigration])
