import type { ChannelSettings } from '../pool/channel.ts'

/** How entities are stored and read. All times are milliseconds. */
export interface EntitySettings extends ChannelSettings {
  readonly epochMs: number
  /** Longest time of an operation in a lane's queue. */
  readonly waitTimeoutMs: number
  /** Whether operations travel together unless they ask not to. */
  readonly batch: boolean
}
