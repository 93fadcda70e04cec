import { findCycles } from './cycles.ts'
import { readImportGraph } from './imports.ts'
import { findLayerViolations } from './layers.ts'
import { inRoot } from './repository.ts'

/** What is wrong with the direction of the imports in `src`. */
export function checkLayers(): string[] {
  const graph = readImportGraph(inRoot('src'))
  return [...findLayerViolations(graph), ...findCycles(graph)]
}
