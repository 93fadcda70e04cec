import { describeType } from '../../arguments/arguments.ts'

/** What tells later, also in another process, whether a batch was stored. It is made of text and numbers: JSON holds it. */
export interface BatchTicket {
  readonly serverId: string
  readonly shardId: number
  /** The server's number of the transaction. */
  readonly transactionId: string
  /** The key of the batch's first row, decimal. */
  readonly key: string
}

/** Rows that a load stores together or not at all. */
export interface LoadBatch {
  /** Their places in the source, ascending. The rows of one shard are stored in their order, one batch after the other. */
  readonly rows: readonly number[]
  readonly ticket: BatchTicket
}

/** Throws a TypeError unless it is a ticket. */
export function assertTicket(ticket: unknown): asserts ticket is BatchTicket {
  const { serverId, shardId, transactionId, key } = Object(ticket) as Record<string, unknown>
  const isTicket = typeof serverId === 'string' && Number.isInteger(shardId) && isDigits(transactionId) && isDigits(key)
  if (!isTicket)
    throw new TypeError(`a ticket must be one that a load passed to beforeCommit, got ${describeType(ticket)}`)
}

function isDigits(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value)
}
