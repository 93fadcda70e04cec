import { expect, it } from 'vitest'
import { judgeCollations } from '../../src/fleet/doctor/judge-servers.ts'
import { judgeServer, readReadiness } from '../../src/fleet/move/server-readiness.ts'
import { SecretPlaces } from '../../src/catalog/secret-places.ts'
import { FleetLink } from '../../src/fleet/servers.ts'
import { createFleet, settingsOf } from '../support/fleet.ts'

it('servers that sort texts differently, and indexes made under other rules, are found', async () => {
  await using servers = await createFleet(2)
  await using link = new FleetLink(
    { serverId: 's1', settings: settingsOf(servers.connections[0]!) },
    new SecretPlaces(),
  )
  const readiness = await link.withSession(readReadiness)
  expect(readiness.collation).toMatch(/^(libc|icu|builtin) ./)
  expect(judgeServer('s1', readiness)).toEqual([])
  const stale = judgeServer('s1', { ...readiness, collationVersions: ['153.14', '153.120'] })
  expect(stale).toEqual([
    expect.stringContaining('had version 153.14 when its indexes were created, and is now 153.120'),
  ])
  const readings = ['libc C', 'icu und'].map((collation, index) => ({
    serverId: `s${index}`,
    readiness: { collation },
  }))
  expect(judgeCollations(readings)).toMatchObject([{ kind: 'collations-differ', level: 'notice' }])
  expect(judgeCollations(readings.slice(1))).toEqual([])
})
