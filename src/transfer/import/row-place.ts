import type { Datastore } from '../../datastore/datastore.ts'
import type { KeptRow } from '../../entity/load/batch.ts'
import { Key } from '../../key/key.ts'
import { RowProblem, type SourceRow } from '../input/source-record.ts'
import type { ShardChoice } from './import-options.ts'

/** Where a row goes. */
export interface RowPlace {
  readonly shardId: number
  /** What it was before; undefined if it gets a new key. */
  readonly kept: KeptRow | undefined
}

/** What tells of a row where it goes; throws a {@link RowProblem} when it goes nowhere. */
export function choosePlace(db: Datastore, choice: ShardChoice): (row: SourceRow) => RowPlace {
  if ('keepsKeys' in choice) return (row) => placeOfKey(db, row)
  if ('shardId' in choice) return () => ({ shardId: choice.shardId, kept: undefined })
  return ({ body }) => {
    const value = Object.hasOwn(body, choice.field) ? body[choice.field] : undefined
    if (typeof value === 'string') return { shardId: db.shardFor(value), kept: undefined }
    throw new RowProblem(`it has no ${JSON.stringify(choice.field)}, which determines its shard`)
  }
}

function placeOfKey(db: Datastore, { entity }: SourceRow): RowPlace {
  if (entity === undefined) throw new RowProblem('it has no key: an export did not write it')
  const { id, shardId } = readKey(entity.key)
  if (db.topology.findServer(shardId) === undefined) {
    throw new RowProblem(`its key is of shard ${shardId}, which no server has`)
  }
  return { shardId, kept: { id, updated: readTime(entity.updated) } }
}

function readKey(text: string): Key {
  try {
    return new Key(text)
  } catch (error) {
    throw new RowProblem(`it has no key: ${(error as Error).message}`)
  }
}

function readTime(text: string | null): Date | null {
  if (text === null) return null
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new RowProblem('updated is no time')
  return time
}
