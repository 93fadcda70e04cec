/** Figures of the connections to one server. */
export interface PoolStats {
  /** Open connections: idle and lent. */
  readonly total: number
  /** Open connections that nobody uses. */
  readonly idle: number
  /** Connections in the hands of a borrower. */
  readonly lent: number
  /** Connections being opened, or taken out of the idle ones. */
  readonly connecting: number
  /**
   * Connections that were cut while the server was at work for them. It was asked to cancel that; until it has let go of them,
   * for 3 s at most, they count against `poolMax`.
   */
  readonly ending: number
  /** Callers that wait for a connection now. */
  readonly waiting: number
  /** Callers that ever found no place free and had to wait. */
  readonly waits: number
  /** Callers that ever waited too long. */
  readonly timeouts: number
  /** Connections ever opened. */
  readonly created: number
  /** Connections ever closed, for whatever reason. */
  readonly destroyed: number
}
