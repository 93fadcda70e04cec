/** What is read of a node of a plan. */
export interface PlanNode {
  /** The index that it reads. */
  readonly index: string | undefined
  /** True when it reads a whole table. */
  readonly isSequential: boolean
}

interface RawNode {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Parent Relationship'?: string
  readonly Plans?: readonly RawNode[]
}

/**
 * The nodes in the output of `explain (format json)`, outer ones first. What an init plan does is left out: it answers a
 * question about the table as a whole, and leads to no entity.
 */
export function readPlan(json: string): PlanNode[] {
  const plans = JSON.parse(json) as { Plan: RawNode }[]
  return plans.flatMap(({ Plan }) => listNodes(Plan))
}

function listNodes(node: RawNode): PlanNode[] {
  if (node['Parent Relationship'] === 'InitPlan') return []
  const own = { index: node['Index Name'], isSequential: node['Node Type'] === 'Seq Scan' }
  return [own, ...(node.Plans ?? []).flatMap(listNodes)]
}
