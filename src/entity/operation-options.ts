/** How one operation is done. */
export interface OperationOptions {
  /** Rejects with the signal's reason. A write in flight is not undone: it may or may not be there. */
  signal?: AbortSignal | undefined
}

/** How one get or put is done. */
export interface EntityOptions extends OperationOptions {
  /**
   * Whether it may travel in one statement with others on the same shard that are asked for at the same time; default
   * that of the datastore. The meaning is the same.
   */
  batch?: boolean | undefined
}
