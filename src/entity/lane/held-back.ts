/** Operations that wait until another one on the same entity is done, in the order in which they were asked for. */
export class HeldBack<T> {
  readonly #byEntity = new Map<bigint, T[]>()

  /** True while nothing is to be held back. */
  get isEmpty(): boolean {
    return this.#byEntity.size === 0
  }

  /** From now on, what is for this entity has to wait. */
  begin(entity: bigint): void {
    if (!this.#byEntity.has(entity)) this.#byEntity.set(entity, [])
  }

  /** Holds an operation back if its entity is one of those; tells whether it is. */
  add(entity: bigint | undefined, operation: T): boolean {
    const held = entity === undefined ? undefined : this.#byEntity.get(entity)
    held?.push(operation)
    return held !== undefined
  }

  /** Holds nothing back for this entity any more, and gives what it has held. */
  end(entity: bigint): T[] {
    const held = this.#byEntity.get(entity) ?? []
    this.#byEntity.delete(entity)
    return held
  }

  /** Any of those that wait. */
  first(): T | undefined {
    for (const [operation] of this.#byEntity.values()) if (operation !== undefined) return operation
    return undefined
  }

  /** Drops those that need not wait any more. */
  keep(isWaiting: (operation: T) => boolean): void {
    for (const [entity, held] of this.#byEntity) this.#byEntity.set(entity, held.filter(isWaiting))
  }
}
