/** The texts in the options of a configuration, and in the environment, that must never be printed. */
export function listSecrets(options: unknown, env: NodeJS.ProcessEnv): string[] {
  const { connections, catalog } = Object(options) as Record<string, unknown>
  const entries: unknown[] = [catalog, env.HYPERVAULT_CATALOG]
  if (Array.isArray(connections)) entries.push(...(connections as unknown[]))
  const secrets = [env.PGPASSWORD, ...entries.flatMap(secretsOfEntry)]
  return secrets.filter((secret) => typeof secret === 'string')
}

function secretsOfEntry(entry: unknown): unknown[] {
  if (typeof entry === 'string') return secretsOfUrl(entry)
  const { password, connectionString, ssl } = Object(entry) as Record<string, unknown>
  const { key, passphrase } = Object(ssl) as Record<string, unknown>
  return [password, key, passphrase, ...secretsOfUrl(connectionString)]
}

/** The password of a connection string, as written and as it is sent. */
export function secretsOfUrl(connectionString: unknown): string[] {
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
