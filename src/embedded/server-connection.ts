/** What `pg` needs to connect to a server. */
export interface ServerConnection {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The same as a URL. */
export function formatConnectionString({ host, port, user, password, database }: ServerConnection): string {
  return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}
