import type { Body } from '../../hstore/body.ts'
import { assertLoadSource, resolveLoadOptions, type LoadOptions, type LoadSource } from '../load/load-options.ts'
import type { AnyKind } from './kind.ts'

/** How a load of values is done. */
export interface KindLoadOptions<V> extends Omit<LoadOptions, 'shardOf' | 'keyOf' | 'updatedOf'> {
  /** The shard of a value; `row` is its place in the source, from 0. What it throws ends the load. */
  shardOf: (value: V, row: number) => number
}

/** A load of bodies that is made of a load of values. */
export interface BodyLoad {
  readonly source: LoadSource
  readonly options: LoadOptions
}

/** Turns a load of values into one of bodies; what does not fit ends it at its row. */
export function toBodyLoad<V>(
  kind: AnyKind,
  values: AsyncIterable<V> | Iterable<V>,
  options: KindLoadOptions<V>,
): BodyLoad {
  assertLoadSource(values as unknown)
  resolveLoadOptions(options as never)
  const valueOf = new WeakMap<Body, V>()
  const write = (value: V): Body => {
    const body = kind.write(value)
    valueOf.set(body, value)
    return body
  }
  const source = Symbol.asyncIterator in values ? mapLater(values, write) : mapNow(values, write)
  return { source, options: { ...options, shardOf: (body, row) => options.shardOf(valueOf.get(body) as V, row) } }
}

function* mapNow<V>(values: Iterable<V>, write: (value: V) => Body): Generator<Body, void, undefined> {
  for (const value of values) yield write(value)
}

async function* mapLater<V>(
  values: AsyncIterable<V>,
  write: (value: V) => Body,
): AsyncGenerator<Body, void, undefined> {
  for await (const value of values) yield write(value)
}
