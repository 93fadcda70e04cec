import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import { ownUrl } from '../arguments/own-url.ts'

// Nothing is cached: a compiled copy in a temporary folder would hold passwords, for everybody to read.
const compiler = { moduleCache: false, fsCache: false } as const

/** The exports of a file in TypeScript or JavaScript, read anew each time for TypeScript. */
export function loadModule(file: string): Promise<unknown> {
  const isTypeScript = /^\.m?ts$/.test(extname(file))
  return isTypeScript ? createJiti(ownUrl(), compiler).import(file) : import(pathToFileURL(file).href)
}
