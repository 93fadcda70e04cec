import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Datastore, fromFolder, loadConfig } from 'pg-hypervault'
import { startCluster } from 'pg-hypervault/testing'

/** Whatever finds files or packages at run time: the binaries, a configuration and a migration in TypeScript. */
async function main() {
  const folder = process.argv[2]
  mkdirSync(join(folder, 'db'), { recursive: true })
  writeFileSync(
    join(folder, 'hypervault.config.ts'),
    'export default { epochMs: 5 as number, connections: [{ shards: "1-5" }] }',
  )
  writeFileSync(
    join(folder, 'db', '0001_x.ts'),
    'export const up = (shard: any): Promise<void> => shard.query("create table x ()")',
  )
  const cluster = await startCluster({ servers: 1, shards: '1-5' })
  const db = new Datastore({ connections: cluster.connections })
  try {
    const entity = await db.get(await db.put(4, 1, { beep: 'boop' }))
    const config = await loadConfig({ folder }).catch((error) => error)
    const ran = await db.migrations.up({ migrations: fromFolder(join(folder, 'db')) }).catch((error) => error)
    const { name } = db.shard(4).pool.constructor
    const said = config.message === undefined ? '' : `${config.message}: ${config.hint}`
    process.stdout.write(
      JSON.stringify({ body: entity.body, name, epochMs: config.epochMs, ran: ran.migrations?.length, said }),
    )
  } finally {
    await db.disconnect()
    await cluster.stop()
  }
}

main().catch((error) => {
  process.stderr.write(String(error.stack))
  process.exitCode = 1
})
