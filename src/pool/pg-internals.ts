import type { EventEmitter } from 'node:events'
import { Socket } from 'node:net'
import { Client, type ClientConfig } from 'pg'

/*
 * What Hypervault must know of pg beyond its types. All of it is here and tested, so that a new release of pg that
 * changes it is found out by `npm test` and nowhere else.
 */

interface Internals {
  /** False from the moment a statement is sent until the server says that it is ready again. */
  readyForQuery?: boolean
  /** Whether a statement is sent before the one before it is answered. */
  pipeline: boolean
  /** Number of the backend, once the server has told it. */
  processID: number | null
  connection: EventEmitter & {
    stream: Socket
    /** Texts of the named statements that the server has, by name. */
    parsedStatements: Record<string, string>
    /** Those under way to it. */
    submittedNamedStatements: Record<string, string>
  }
}

function internalsOf(client: object): Internals {
  return client as unknown as Internals
}

/** True when no statement is in flight. */
export function isReady(client: object): boolean {
  return internalsOf(client).readyForQuery === true
}

/** True once the server has told which backend serves the session, so that it can be asked to cancel. */
export function isConnected(client: object): boolean {
  return internalsOf(client).processID != null
}

/** Takes the socket away from a client. For pg its connection has ended then, and it hears nothing of the socket any more. */
export function takeStream(client: object): Socket {
  const { connection } = internalsOf(client)
  const { stream } = connection
  connection.stream = new Socket().on('error', () => undefined).destroy()
  process.nextTick(() => {
    connection.emit('end')
    connection.emit = () => false
  })
  return stream
}

/** Switches whether statements are sent without waiting for the one before. Only while none is in flight. */
export function setPipelined(client: object, isPipelined: boolean): void {
  internalsOf(client).pipeline = isPipelined
}

/** Makes pg forget that the server has this named statement, so that it is parsed again at its next use. */
export function forgetStatement(client: object, name: string): void {
  const { parsedStatements, submittedNamedStatements } = internalsOf(client).connection
  delete parsedStatements[name]
  delete submittedNamedStatements[name]
}

/** Makes pg forget all named statements of a session. */
export function forgetStatements(client: object): void {
  const { connection } = internalsOf(client)
  connection.parsedStatements = {}
  connection.submittedNamedStatements = {}
}

/** What pg puts into the start-up message of a client. */
export function startupParameters(client: Client): Record<string, string> {
  const pgClient = Client.prototype as unknown as { readonly getStartupConf: () => Record<string, string> }
  return pgClient.getStartupConf.call(client)
}

/** What pg makes of a configuration: a connection string taken apart, and what the environment says. */
export interface ConnectionParameters {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: unknown
  readonly ssl: boolean
  readonly options: string | undefined
  readonly query_timeout: number | string | false | undefined
}

const known = new WeakMap<ClientConfig, ConnectionParameters>()

/** Takes a configuration apart. Opens nothing. */
export function parametersOf(clientConfig: ClientConfig): ConnectionParameters {
  const parameters = known.get(clientConfig) ?? readParameters(new Client(clientConfig))
  known.set(clientConfig, parameters)
  return parameters
}

/** After how many milliseconds a statement on such a connection is given up; 0 for never. */
export function queryTimeoutOf(clientConfig: ClientConfig): number {
  return Number(parametersOf(clientConfig).query_timeout) || 0
}

/** What pg takes for no `query_timeout`: it ends a statement here that goes on at the server, and its outcome is unknown. */
export const NO_QUERY_TIMEOUT = 2_147_483_647

/** The time for a statement of Hypervault itself on such a connection: `query_timeout` bounds it too. */
export function boundByQueryTimeout(clientConfig: ClientConfig, timeoutMs: number): number {
  return Math.min(timeoutMs, queryTimeoutOf(clientConfig) || Infinity)
}

/** The same on a connection that is open. */
export function boundByClient(client: object, timeoutMs: number): number {
  return Math.min(timeoutMs, queryTimeoutOfClient(client) || Infinity)
}

/**
 * The `query_timeout` of a statement of Hypervault itself, which has a bound of its own: none. Undefined where none is set for the
 * connection: pg would begin a timer for each statement.
 */
export function noQueryTimeout(client: object): number | undefined {
  return queryTimeoutOfClient(client) === 0 ? undefined : NO_QUERY_TIMEOUT
}

/** Whether pg has given a statement up because of its `query_timeout`. The connection is of no use then. */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout' && !('severity' in error)
}

function queryTimeoutOfClient(client: object): number {
  const { connectionParameters } = client as { readonly connectionParameters?: ConnectionParameters }
  return Number(connectionParameters?.query_timeout) || 0
}

function readParameters(client: object): ConnectionParameters {
  return (client as { readonly connectionParameters: ConnectionParameters }).connectionParameters
}

/** The host that a configuration leads to. */
export function hostOf(clientConfig: ClientConfig): string {
  return parametersOf(clientConfig).host
}

/** Gives a client another password when the server asks for it in clear text on a connection without TLS. */
export function onClearTextRequest(client: Client, password: () => Promise<string>): void {
  // Before pg connects nobody else listens, so that this is heard before pg sends anything.
  client.connection.on('authenticationCleartextPassword', () => {
    if (!client.ssl) (client as unknown as { password: unknown }).password = password
  })
}

/** Hears what a server reports of the settings of a session, from its first message on. */
export function onParameter(client: Client, hear: (name: string, value: string) => void): void {
  client.connection.on('parameterStatus', (message: { parameterName: string; parameterValue: string }) =>
    hear(message.parameterName, message.parameterValue),
  )
}
