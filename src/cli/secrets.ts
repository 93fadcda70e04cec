/** The texts in a configuration, or in an entry of it, that must never be printed. */
export function listSecrets(connections: unknown, env: NodeJS.ProcessEnv): string[] {
  const entries: unknown[] = Array.isArray(connections) ? connections : []
  const secrets = [env.PGPASSWORD, ...entries.flatMap(secretsOfEntry)]
  return secrets.filter((secret) => typeof secret === 'string')
}

function secretsOfEntry(entry: unknown): unknown[] {
  const { password, connectionString, ssl } = Object(entry) as Record<string, unknown>
  const { key, passphrase } = Object(ssl) as Record<string, unknown>
  return [password, key, passphrase, ...secretsOfUrl(connectionString)]
}

/** The password of a connection string, as written and as it is sent. */
function secretsOfUrl(connectionString: unknown): string[] {
  if (typeof connectionString !== 'string') return []
  const written = /^[^:]+:\/\/[^:/@]*:([^@]*)@/.exec(connectionString)?.[1]
  const named = /[?&]password=([^&#]*)/.exec(connectionString)?.[1]
  return [written, named].filter((text) => text !== undefined).flatMap((text) => [text, decode(text)])
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
