import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import type { PostgresVersion } from './src/embedded/postgres-version.ts'

const coreLayers = ['pool', 'shard', 'entity', 'schema', 'hstore', 'datastore']

export default defineConfig({
  test: {
    // Files wait for servers more than they compute: two at once halve the time also on two cores.
    maxWorkers: 2,
    projects: [
      defineProject(18, ['test/**/*.test.ts']),
      defineProject(
        15,
        coreLayers.map((layer) => `test/${layer}/**/*.test.ts`),
      ),
    ],
  },
})

/** One PostgreSQL version, and the test files that run against it. */
function defineProject(version: PostgresVersion, include: string[]): TestProjectInlineConfiguration {
  return {
    test: {
      name: `pg${version}`,
      include,
      pool: 'forks',
      provide: { postgresVersion: version },
      globalSetup: ['test/support/cluster.setup.ts'],
      setupFiles: ['test/support/end-with-parent.ts'],
      // Only what hangs is to fail by them, not what shares two cores with everything else.
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  }
}
