/** A major version of PostgreSQL that can be had from npm. */
export type PostgresVersion = 15 | 16 | 17 | 18

/** The version that is started when none is asked for; its package is an optional dependency of this one. */
export const defaultVersion: PostgresVersion = 18

/** The exact version of the npm packages per major version. They are pre-releases by name, so a range would not match. */
export const packagedVersions: Readonly<Record<PostgresVersion, string>> = Object.freeze({
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
})

/** @throws RangeError unless the version is one of 15, 16, 17, 18 */
export function assertPostgresVersion(version: unknown): asserts version is PostgresVersion {
  const known = Object.keys(packagedVersions).map(Number)
  if (known.includes(version as number)) return
  throw new RangeError(`version must be one of ${known.join(', ')}, got ${String(version)}`)
}
