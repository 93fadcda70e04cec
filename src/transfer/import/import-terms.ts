import { createHash } from 'node:crypto'
import type { Topology } from '../../topology/topology.ts'
import type { ImportOptions } from './import-options.ts'
import type { ImportTerms } from './import-state.ts'

/**
 * Everything that decides which rows an input has and where they go, in the words of the command line. The shard of a
 * field's value depends on all shards there are; on which server they live does not matter.
 */
export function describeTerms(options: ImportOptions, topology: Topology): ImportTerms {
  const { format, shards, kind, nested, empty, delimiter, columns } = options
  const isCsv = format === 'csv'
  return {
    '--format': format,
    '--kind': kind ?? null,
    '--shard': 'shardId' in shards ? shards.shardId : null,
    '--shard-by': 'field' in shards ? shards.field : null,
    '--keep-keys': 'keepsKeys' in shards ? 'yes' : null,
    '--nested': isCsv ? null : nested,
    '--empty': isCsv ? empty : null,
    '--delimiter': isCsv ? delimiter : null,
    '--columns': isCsv && columns !== undefined ? JSON.stringify(columns) : null,
    'the shards that there are': 'field' in shards ? hashOf(topology.shardIds) : null,
  }
}

function hashOf(shardIds: readonly number[]): string {
  return createHash('sha256').update(shardIds.join()).digest('hex').slice(0, 16)
}
