/** The layers of `src`, top down: a file imports its own layer or one further up in this list, never one below. */
export const layers = [
  'errors',
  'arguments',
  'key',
  'sql',
  'topology',
  'hstore',
  'pool',
  'server',
  'catalog',
  'shard',
  'entity',
  'schema',
  'datastore',
  'transfer',
  'fleet',
  'embedded',
  'console',
  'cli',
] as const

/** Files that users import: they may import anything, and no file of `src` may import them. */
export const entryPoints: readonly string[] = ['index.ts', 'testing.ts', 'kysely.ts', 'drizzle.ts', 'fleet.ts']

type Layer = (typeof layers)[number]

/** Which files each file imports; all of them relative to `src`, with `/`. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>

/** The layer of a file relative to `src`, or undefined if it has none. */
export function findLayer(file: string): Layer | undefined {
  const [first = '', ...rest] = file.split('/')
  if (rest.length > 0) return layers.find((layer) => layer === first)
  return first === 'errors.ts' ? 'errors' : undefined
}

/** One line for each file without a layer and for each import that points down, out of `src`, or at an entry point. */
export function findLayerViolations(graph: ImportGraph): string[] {
  return [...graph].flatMap(([file, imports]) => [
    ...judgeFile(file),
    ...imports.flatMap((imported) => judgeImport(file, imported)),
  ])
}

function judgeFile(file: string): string[] {
  if (entryPoints.includes(file) || findLayer(file) !== undefined) return []
  return [`src/${file} is in no layer: move it, or add its folder to DESIGN.md 4 and to scripts/house/layers.ts`]
}

function judgeImport(file: string, imported: string): string[] {
  if (imported.startsWith('../')) return judgeOutside(file, imported)
  if (entryPoints.includes(imported)) return [`src/${file} imports the entry point src/${imported}`]
  const [own, other] = [findLayer(file), findLayer(imported)]
  if (own === undefined || other === undefined || layers.indexOf(other) <= layers.indexOf(own)) return []
  return [`src/${file} (${own}) imports src/${imported} (${other}), which is a layer below`]
}

/** What is not compiled into `dist` cannot be imported; package.json lies one folder above both. */
function judgeOutside(file: string, imported: string): string[] {
  return imported === '../package.json' ? [] : [`src/${file} imports ${imported}, which is outside src`]
}
