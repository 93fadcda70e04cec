import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerStatement } from '../../schema/server-session.ts'
import { quoteName } from '../../schema/shard-sql.ts'

/** Reads the state of sequences, one row each, in one statement. */
export function readSequences(shardId: number, names: readonly string[]): ServerStatement {
  const schema = shardSchema(shardId)
  const text = names
    .map((name, index) => `select ${index}, last_value, is_called from ${schema}.${quoteName(name)}`)
    .join('\nunion all\n')
  return { text }
}

/** Sets sequences to what {@link readSequences} gave at the other side. */
export function writeSequences(shardId: number, names: readonly string[], rows: readonly ServerRow[]): ServerStatement {
  const schema = shardSchema(shardId)
  const calls = rows.map(([index, value, isCalled], at) => {
    const name = `${schema}.${quoteName(names[Number(index)] ?? '')}`
    return { call: `setval($${3 * at + 1}::regclass, $${3 * at + 2}, $${3 * at + 3})`, values: [name, value, isCalled] }
  })
  return { text: `select ${calls.map(({ call }) => call).join(', ')}`, values: calls.flatMap(({ values }) => values) }
}
