/*
 * A connection string is an URL, in which some characters end a part of it. One of them in a password that is not
 * percent-encoded makes another string of it, mostly without an error: `postgres://u:12/ss@h/d` names host `u` with port
 * 12. So the raw text is looked at before anybody parses it.
 *
 * What is refused is named by kind only: the message never repeats a part of the string, which could be a password.
 */

/** How the characters are written that mean something else in an URL. */
const ENCODINGS = '/ as %2F, # as %23, ? as %3F, @ as %40, : as %3A, % as %25, a space as %20'

const SCHEME = /^\s*[a-z][a-z0-9+.-]*:\/\//i

/** Names of parameters that `pg` and libpq know. An `@` in the value of another one is mostly that before a host. */
const parameters: ReadonlySet<string> = new Set([
  ...[
    'user',
    'password',
    'host',
    'hostaddr',
    'port',
    'db',
    'dbname',
    'database',
    'encoding',
    'client_encoding',
    'service',
  ],
  ...['application_name', 'fallback_application_name', 'options', 'passfile', 'replication', 'target_session_attrs'],
  ...['ssl', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslpassword', 'sslcrl', 'sslsni', 'sslnegotiation'],
  ...['channel_binding', 'gssencmode', 'krbsrvname', 'requirepeer', 'require_auth', 'uselibpqcompat', 'binary'],
  ...['connect_timeout', 'statement_timeout', 'query_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'],
  ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
])

/**
 * Throws unless a connection string means what it looks like. What is no URL, such as the path of a socket, is let through.
 *
 * @param where names the place of the string in messages
 * @throws TypeError that says what to percent-encode, and repeats nothing of the string
 */
export function assertConnectionString(text: unknown, where: string): void {
  if (typeof text !== 'string' || !SCHEME.test(text)) return
  const problem = findProblem(text.replace(SCHEME, '').trimEnd())
  if (problem === undefined) return
  throw new TypeError(
    `${where} has a connection string ${problem}. Percent-encode the user and the password: ${ENCODINGS}`,
  )
}

/** The connection string of what `pg` takes to connect, if it has one. */
export function connectionStringOf(connection: unknown): unknown {
  if (typeof connection !== 'object' || connection === null) return connection
  return (connection as { connectionString?: unknown }).connectionString
}

/** `user:password@host:port`, `/database`, `?parameters`. */
interface Parts {
  readonly authority: string
  readonly path: string
  readonly query: string
}

function findProblem(text: string): string | undefined {
  if (/\p{Cc}/u.test(text)) return 'with a control character, such as the end of a line'
  if (/%(?![0-9a-f]{2})/i.test(text)) return 'with a % that does not begin a percent-encoded character'
  if (text.includes('#')) return 'with a #, after which everything is ignored'
  if (text.includes(' ') && /%[0-9a-f]{2}/i.test(text)) return 'with a space beside percent-encoded characters'
  const parts = split(text)
  return findUserProblem(parts) ?? findPathProblem(parts) ?? findQueryProblem(parts)
}

function split(text: string): Parts {
  const [, authority = '', path = '', query = ''] = /^([^/?]*)([^?]*)\??(.*)$/s.exec(text) ?? []
  return { authority, path, query }
}

/** What stands before the last `@` of the authority. */
function findUserProblem({ authority }: Parts): string | undefined {
  const at = authority.lastIndexOf('@')
  if (at === -1) return undefined
  const [user = '', ...password] = authority.slice(0, at).split(':')
  const secrets = [user, ...password]
  if (password.length > 1) return 'with more than one : before the host'
  if (secrets.some((part) => part.includes('@'))) return 'with more than one @ before the host'
  if (secrets.some((part) => part.includes(' '))) return 'with a space before the host'
  return secrets.every(isDecodable) ? undefined : 'with percent-encoded bytes that are not UTF-8'
}

/** An `@` behind the first `/` is mostly that before the host, and the `/` one of a password. */
function findPathProblem({ authority, path }: Parts): string | undefined {
  const [before, ...rest] = path.split('@')
  if (rest.length === 0) return undefined
  const isSplit = /[:@]/.test(authority) || before?.includes(':') === true
  return isSplit
    ? 'with an @ after its first /, as if the / belonged to a password (for a database with an @ in its name, use the option database)'
    : undefined
}

/** An `@` in the name of a parameter, or in the value of an unknown one, is mostly that before the host. */
function findQueryProblem({ query }: Parts): string | undefined {
  if (query === '') return undefined
  const pairs = query.split('&').map((pair) => /^([^=]*)(?:=(.*))?$/s.exec(pair) ?? [])
  for (const [, name = '', value] of pairs) {
    const isUnknown = value !== undefined && value.includes('@') && !parameters.has(name.toLowerCase())
    if (name.includes('@') || isUnknown) return 'with an @ behind its first ?, as if the ? belonged to a password'
  }
  const secrets = pairs.filter(([, name]) => name === 'password' || name === 'user')
  if (secrets.some(([, , value]) => value?.includes('+')))
    return 'with a + in a password, which would be read as a space'
  if (secrets.length > 0 && pairs.some(([, , value]) => value === undefined)) return 'with an & in a password'
  return undefined
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
