import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Where this package lies. A bundle in CommonJS does not know it: there it is the working folder. */
export function ownUrl(): string {
  const { url } = import.meta as { readonly url?: string }
  return url ?? pathToFileURL(join(process.cwd(), 'package.json')).href
}
