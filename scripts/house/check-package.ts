import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { stagePackage } from './stage-package.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

/** What publint says about the package as it would be published. */
export function checkPackage(): Promise<string[]> {
  return withTemporaryFolder(async (folder) => {
    await stagePackage(folder)
    return lintPackage(folder)
  })
}

/** What publint says, suggestions included, about the package in a folder. */
export async function lintPackage(folder: string): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: folder, pack: 'npm', strict: true })
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code)
}
