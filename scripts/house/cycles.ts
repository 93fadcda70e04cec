import type { ImportGraph } from './layers.ts'

/**
 * One line for each cycle of imports that a walk over all files runs into: each edge back to a file that is being
 * walked closes one. No line means that there is no cycle.
 */
export function findCycles(graph: ImportGraph): string[] {
  const walk = new Walk(graph)
  for (const file of graph.keys()) walk.visit(file)
  return walk.cycles.map((cycle) => `import cycle: ${cycle.map((file) => `src/${file}`).join(' -> ')}`)
}

/** A walk in depth. A file is new, then on the path, then done. */
class Walk {
  readonly cycles: string[][] = []
  readonly #graph: ImportGraph
  readonly #path: string[] = []
  readonly #done = new Set<string>()

  constructor(graph: ImportGraph) {
    this.#graph = graph
  }

  visit(file: string): void {
    if (this.#done.has(file)) return
    const start = this.#path.indexOf(file)
    if (start >= 0) return void this.cycles.push([...this.#path.slice(start), file])
    this.#path.push(file)
    for (const imported of this.#graph.get(file) ?? []) this.visit(imported)
    this.#path.pop()
    this.#done.add(file)
  }
}
