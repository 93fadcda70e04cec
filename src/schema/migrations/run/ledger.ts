import { HypervaultError } from '../../../errors.ts'
import {
  describeMigrationFailures,
  toMigrationFailure,
  type FailureSite,
  type MigrationFailure,
} from '../migration-failure.ts'
import type { Migration } from '../migration.ts'
import type { MigrateSettings } from '../options.ts'
import { decideStop } from './decide-stop.ts'

/** Where a run is. */
export interface WavePlace {
  readonly isCanary: boolean
  readonly wave: number
  readonly waves: number
}

/** What has become of a run so far, and whether it goes on. */
export class Ledger {
  readonly #settings: MigrateSettings
  readonly #ran = new Map<Migration, number[]>()
  /** What is left to run, by shard. */
  readonly #open = new Map<number, Set<Migration>>()
  readonly #failures: MigrationFailure[] = []
  readonly #failedShards = new Set<number>()
  #place: WavePlace = { isCanary: false, wave: 0, waves: 0 }
  #done = 0
  #total = 0
  #hasCanaryFailed = false
  #stopReason: string | undefined

  constructor(settings: MigrateSettings) {
    this.#settings = settings
  }

  /** Whether no further shard is to be touched. */
  get isOver(): boolean {
    return this.#stopReason !== undefined || this.#settings.signal?.aborted === true
  }

  /** Adds to what there is to do in a shard. */
  expect(shardId: number, migrations: readonly Migration[]): void {
    this.#total += migrations.length - (this.#open.get(shardId)?.size ?? 0)
    this.#open.set(shardId, new Set(migrations))
  }

  /** Notes a shard that cannot be migrated now. That is no reason to stop. */
  exclude(site: FailureSite, error: unknown): void {
    if (site.shardId !== undefined && this.#failedShards.has(site.shardId)) return
    this.#failures.push(toMigrationFailure(site, error))
    if (site.shardId !== undefined) this.#failedShards.add(site.shardId)
  }

  /** Notes that a wave begins. */
  enter(place: WavePlace): void {
    this.#place = place
    this.#tellProgress()
  }

  /** Notes that a migration has run in shards, by this run or by another one. */
  succeed(migration: Migration, shardIds: readonly number[], { isOwn }: { readonly isOwn: boolean }): void {
    this.#done += shardIds.length
    const ran = this.#ran.get(migration) ?? []
    if (isOwn) this.#ran.set(migration, ran)
    if (isOwn) ran.push(...shardIds)
    for (const shardId of shardIds) this.#open.get(shardId)?.delete(migration)
    this.#tellProgress()
  }

  /** Notes a failure, after which the run may stop by itself. */
  fail(site: FailureSite, error: unknown): void {
    this.exclude(site, error)
    this.#hasCanaryFailed ||= this.#place.isCanary && site.shardId !== undefined
    const reading = { failed: this.#failedShards.size, hasCanaryFailed: this.#hasCanaryFailed }
    this.#stopReason ??= decideStop(reading, this.#settings.maxFailures)
    this.#tellProgress()
  }

  /** Stops the run. */
  stop(reason: string): void {
    this.#stopReason ??= reason
  }

  hasFailed(shardId: number): boolean {
    return this.#failedShards.has(shardId)
  }

  /** Whether something is left to run in a shard. */
  isOpen(shardId: number): boolean {
    return (this.#open.get(shardId)?.size ?? 0) > 0
  }

  /** The shards in which this run has run a migration, ascending. */
  shardsOf(migration: Migration): readonly number[] {
    return [...(this.#ran.get(migration) ?? [])].sort((a, b) => a - b)
  }

  /**
   * Throws `HV_MIGRATION_FAILED` unless everything has run.
   *
   * @param missed shards that were never asked what is left to run
   */
  assertComplete(missed: readonly number[]): void {
    const [failures, stopped] = [[...this.#failures], this.#stopReason]
    const left = [...this.#shardsWhere((isOpen) => isOpen), ...missed].sort((a, b) => a - b)
    if (failures.length === 0 && left.length === 0) return
    const completed = this.#shardsWhere((isOpen) => !isOpen)
    const details = { failures, completed, left, ...(stopped !== undefined && { stopped }) }
    throw new HypervaultError('HV_MIGRATION_FAILED', describeEnd(failures, left.length, stopped), details)
  }

  /** Shards that have not failed, ascending. */
  #shardsWhere(isWanted: (isOpen: boolean) => boolean): number[] {
    const shardIds = [...this.#open.keys()].filter((shardId) => !this.#failedShards.has(shardId))
    return shardIds.filter((shardId) => isWanted(this.isOpen(shardId))).sort((a, b) => a - b)
  }

  #tellProgress(): void {
    const { onProgress } = this.#settings
    onProgress(Object.freeze({ ...this.#place, done: this.#done, total: this.#total, failed: this.#failedShards.size }))
  }
}

function describeEnd(failures: readonly MigrationFailure[], left: number, stopped: string | undefined): string {
  const named = describeMigrationFailures(failures)
  const text = [...(stopped === undefined ? [] : [`stopped: ${stopped}`]), ...named].join('; ')
  return `${text === '' ? 'not all migrations have run' : text}; ${left} shards are left`
}
