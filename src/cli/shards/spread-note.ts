import { describeOutside } from '../../topology/spread.ts'
import type { Context } from '../context.ts'

/** Tells that shards get no values, where that is so, and what to type. */
export function tellOutsideSpread(
  { spread, shardIds }: { readonly spread: readonly number[] | undefined; readonly shardIds: readonly number[] },
  { output }: Context,
): void {
  const outside = describeOutside(spread, shardIds)
  if (outside === undefined) return
  output.talk(`Note: ${outside.what}.`)
  output.talk(`    do: ${outside.remedy}`)
}
