import { shardSchema } from '../../../key/shard-id.ts'
import type { ServerSession, ServerStatement } from '../../../server/server-session.ts'
import { quoteName } from '../../../sql/quote.ts'
import { schemaExpression } from '../../../sql/search-path.ts'
import type { SqlStatement } from '../../../sql/split-statements.ts'
import { fitsTransaction, readConcurrent, type ConcurrentStatement } from '../concurrent-statement.ts'
import type { StepwiseMigration } from '../migration.ts'
import { deleteBegunSql, insertBegunSql, selectStep, updateDoneSql, updateStepSql } from '../state/state-sql.ts'
import type { MigrationSite, VisitOutcome } from './migration-site.ts'
import { withOwnSession } from './own-session.ts'

/*
 * A migration without a transaction, statement by statement, in one shard. The row of the migration says how many
 * statements are done, and whether the next one is under way:
 *
 *   step 0, under way ──▶ step 1 ──▶ step 1, under way ──▶ … ──▶ done
 *
 * A statement that can be in a transaction shares one with the note that it is done. The others work on an index, or can
 * be repeated. When a program dies while one is under way, the server may come to the end of it or not, so the next run
 * looks at the index: valid, the statement is done; not valid, it is what was left behind, and is taken away; not there,
 * it is made. An index that was there before the statement was under way is somebody else's, and stays.
 */

/** What goes by the name of an index in a shard. */
type IndexState = 'absent' | 'valid' | 'invalid'

/** Longest wait for taking away what a failed statement left behind: what held that up may hold up this too. */
const LEFTOVER_LOCK_MS = 1_000

/** What REINDEX CONCURRENTLY leaves behind. */
const REINDEX_LEFTOVER = '_cc(new|old)[0-9]*$'

/** Runs a migration without a transaction in a shard. */
export function runSteps(site: MigrationSite, migration: StepwiseMigration): Promise<VisitOutcome> {
  return withOwnSession(site, (session) => new StepwiseRun(session, site, migration).run())
}

class StepwiseRun {
  readonly #session: ServerSession
  readonly #site: MigrationSite
  readonly #migration: StepwiseMigration

  constructor(session: ServerSession, site: MigrationSite, migration: StepwiseMigration) {
    this.#session = session
    this.#site = site
    this.#migration = migration
  }

  async run(): Promise<'done' | 'found'> {
    const { shardId } = this.#site
    await this.#session.execute([insertBegunSql(shardId, this.#migration)])
    const [row] = await this.#session.read(selectStep(shardId, this.#migration))
    const [isDone, first, isUnderWay] = row ?? []
    if (isDone === 't') return 'found'
    for (const [step, statement] of this.#migration.steps.entries()) {
      if (step < Number(first)) continue
      await this.#runStep(step, statement, step === Number(first) && isUnderWay === 't')
    }
    await this.#session.execute([updateDoneSql(shardId, this.#migration)])
    return 'done'
  }

  async #runStep(step: number, statement: SqlStatement, isResumed: boolean): Promise<void> {
    const after = updateStepSql(this.#site.shardId, this.#migration, { step: step + 1, isUnderWay: false })
    try {
      if (fitsTransaction(statement)) return await this.#session.execute([`${statement.text}\n`, after])
      await this.#runOutside(step, statement, isResumed)
      await this.#session.execute([after])
    } catch (error) {
      await this.#tryForget(step, statement, error instanceof ForeignIndexError)
      throw error
    }
  }

  async #runOutside(step: number, statement: SqlStatement, isResumed: boolean): Promise<void> {
    const concurrent = readConcurrent(statement)
    if (isResumed && (await this.#isComplete(concurrent))) return
    if (!isResumed && concurrent !== undefined) await this.#assertOwn(concurrent)
    await this.#note(step, true)
    if (concurrent !== undefined) await this.#boundLocks(this.#site.settings.concurrentLockTimeoutMs)
    await this.#session.execute([statement.text])
    await this.#boundLocks(this.#site.settings.lockTimeoutMs)
  }

  /** Looks what became of a statement that was under way, and takes away what it left behind. */
  async #isComplete(concurrent: ConcurrentStatement | undefined): Promise<boolean> {
    if (concurrent === undefined) return false
    if (concurrent.action === 'reindex') return this.#dropLeftovers(concurrent).then(() => false)
    const state = await this.#readIndex(concurrent.index)
    if (concurrent.action === 'drop') return state === 'absent'
    if (state === 'invalid') await this.#dropIndex(concurrent.index)
    return state === 'valid'
  }

  /** What goes by the name before the statement was ever under way is somebody else's. */
  async #assertOwn(concurrent: ConcurrentStatement): Promise<void> {
    if (concurrent.action !== 'create') return
    const { index, isConditional } = concurrent
    const state = await this.#readIndex(index)
    if (state === 'invalid') throw new ForeignIndexError(`an invalid index ${index} already exists: drop it`)
    if (state === 'valid' && !isConditional) throw new ForeignIndexError(`an index ${index} already exists`)
  }

  /** After a failure nothing is under way, unless what it left behind could not be taken away. */
  async #tryForget(step: number, statement: SqlStatement, isForeign: boolean): Promise<void> {
    try {
      const concurrent = fitsTransaction(statement) ? undefined : readConcurrent(statement)
      await this.#boundLocks(LEFTOVER_LOCK_MS)
      if (concurrent !== undefined && !isForeign) await this.#dropLeftovers(concurrent)
      await this.#note(step, false)
      await this.#session.execute([deleteBegunSql(this.#site.shardId, this.#migration)])
    } catch {
      // What it failed with is told; the next run finds that it was under way, and looks again.
    }
  }

  async #dropLeftovers(concurrent: ConcurrentStatement): Promise<void> {
    if (concurrent.action === 'drop') return
    const names = concurrent.action === 'create' ? [concurrent.index] : await this.#listReindexLeftovers()
    for (const name of names) if ((await this.#readIndex(name)) === 'invalid') await this.#dropIndex(name)
  }

  async #listReindexLeftovers(): Promise<string[]> {
    const rows = await this.#session.read(selectInvalid(this.#site.shardId, REINDEX_LEFTOVER))
    return rows.map(([name]) => quoteName(name ?? ''))
  }

  async #readIndex(name: string): Promise<IndexState> {
    const [row] = await this.#session.read(selectIndex(this.#site.shardId, name))
    if (row === undefined) return 'absent'
    return row[0] === 't' ? 'valid' : 'invalid'
  }

  #dropIndex(name: string): Promise<void> {
    return this.#session.execute([`drop index concurrently ${shardSchema(this.#site.shardId)}.${name}`])
  }

  #note(step: number, isUnderWay: boolean): Promise<void> {
    return this.#session.execute([updateStepSql(this.#site.shardId, this.#migration, { step, isUnderWay })])
  }

  #boundLocks(timeoutMs: number): Promise<void> {
    return this.#session.execute([`set lock_timeout = ${timeoutMs}`])
  }
}

/** An index that was there before the migration: it is left alone. */
class ForeignIndexError extends Error {}

/** The index of a name as SQL has it, which the server folds and cuts as it did in the statement: `(isValid)`. */
function selectIndex(shardId: number, name: string): ServerStatement {
  const text = [
    'select indisvalid and indisready',
    'from pg_class join pg_index on indexrelid = pg_class.oid',
    `where relnamespace = ${schemaExpression(shardId)} and relname = (parse_ident($1))[1]::name`,
  ].join('\n')
  return { text, values: [name] }
}

/** Indexes of a shard that are not valid: `(name)`. */
function selectInvalid(shardId: number, pattern: string): ServerStatement {
  const text = [
    'select relname',
    'from pg_class join pg_index on indexrelid = pg_class.oid',
    `where relnamespace = ${schemaExpression(shardId)} and not indisvalid and relname ~ $1`,
  ].join('\n')
  return { text, values: [pattern] }
}
