import { HypervaultError } from '../errors.ts'
import type { ServerSession } from '../server/server-session.ts'
import { catalogLayouts } from './catalog-layouts.ts'

/** Advisory lock of a change of the layout: "hvcatlog" in ASCII. */
const LAYOUT_LOCK = '7527899893014589287'

const LOCK_TIMEOUT_MS = 10_000

/** The layout that this release works with. */
const KNOWN = catalogLayouts.length

/**
 * Makes the tables of the catalog, or brings older ones to the layout of this release. Safe to repeat.
 *
 * @returns the number of layouts that were added
 * @throws `HV_CATALOG_LAYOUT` when the catalog is newer than this release
 */
export function ensureCatalog(session: ServerSession): Promise<number> {
  const opening = [
    'begin',
    `set local lock_timeout = ${LOCK_TIMEOUT_MS}`,
    `select pg_advisory_xact_lock(${LAYOUT_LOCK})`,
  ]
  return session.transaction(opening, async () => {
    const found = await readLayout(session)
    assertNotNewer(found)
    const missing = catalogLayouts.slice(found)
    if (missing.length > 0) await session.execute([...(found === 0 ? createLayout : []), ...missing.flatMap(addLayout)])
    return missing.length
  })
}

/** How many layouts {@link ensureCatalog} would add. Throws `HV_CATALOG_LAYOUT` when the catalog is newer. */
export async function countMissingLayouts(session: ServerSession): Promise<number> {
  const found = await readLayout(session)
  assertNotNewer(found)
  return KNOWN - found
}

/**
 * Throws unless the catalog has the layout of this release.
 *
 * @throws `HV_CATALOG_MISSING`, `HV_CATALOG_LAYOUT`
 */
export async function assertCatalog(session: ServerSession): Promise<void> {
  const found = await readLayout(session)
  if (found === 0) throw new HypervaultError('HV_CATALOG_MISSING', 'this database has no catalog of Hypervault', {})
  assertNotNewer(found)
  if (found === KNOWN) return
  const message = `the catalog has layout ${found}, older than ${KNOWN} of this release`
  const hint = 'Run `npx pg-hypervault catalog init`: it updates the catalog to the layout of this release.'
  throw new HypervaultError('HV_CATALOG_LAYOUT', message, { found, known: KNOWN }, { hint })
}

const createLayout = [
  'create schema if not exists hypervault',
  'create table hypervault.layouts (layout integer primary key, added_at timestamptz not null default now())',
]

function addLayout(statements: readonly string[], index: number, missing: readonly unknown[]): string[] {
  const layout = KNOWN - missing.length + index + 1
  return [...statements, `insert into hypervault.layouts (layout) values (${layout})`]
}

/** 0 when there is none. */
async function readLayout(session: ServerSession): Promise<number> {
  const [there] = await session.read({ text: "select to_regclass('hypervault.layouts')" })
  if (there?.[0] == null) return 0
  const [row] = await session.read({ text: 'select coalesce(max(layout), 0) from hypervault.layouts' })
  return Number(row?.[0])
}

function assertNotNewer(found: number): void {
  if (found <= KNOWN) return
  const message = `the catalog has layout ${found}, newer than ${KNOWN} of this release`
  throw new HypervaultError('HV_CATALOG_LAYOUT', message, { found, known: KNOWN })
}
