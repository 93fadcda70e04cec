import { explainFile } from '../arguments/file-failure.ts'

/** Why a file in TypeScript or JavaScript could not be loaded, and what to do. */
export interface LoadFailure {
  readonly problem: string
  /** Undefined when the problem says it all. */
  readonly hint: string | undefined
}

/** Says why a file in TypeScript or JavaScript that can be read could not be loaded. */
export function describeLoadFailure(error: unknown): LoadFailure {
  const text = firstLine(error)
  return describeBundle(error) ?? describeModule(text) ?? describeUse(error) ?? { problem: text, hint: hintOf(error) }
}

/** The compiler for TypeScript lies in a file of its own, which a bundle does not have. */
function describeBundle(error: unknown): LoadFailure | undefined {
  const { code } = Object(error) as { code?: unknown }
  const text = firstLine(error)
  const isLost = code === 'MODULE_NOT_FOUND' && text.includes('babel.cjs')
  // In CommonJS a bundle does not know where it lies.
  if (!isLost && !(code === 'ERR_INVALID_ARG_VALUE' && text.includes("'filename'"))) return undefined
  const hint =
    'Leave the package jiti out of the bundle (esbuild: --external:jiti), or write the file in JavaScript (.mjs).'
  return { problem: 'this program is a bundle without the compiler for TypeScript', hint }
}

/** Trouble with modules: CommonJS in an ES module, and what is imported and not there. */
function describeModule(text: string): LoadFailure | undefined {
  if (/is not defined in ES module scope/.test(text)) {
    const hint = 'The file is an ES module: write `export` and `import` instead of `module.exports` and `require`.'
    return { problem: text, hint }
  }
  const [, name] = /^Cannot find (?:package|module) '([^']+)'/.exec(text) ?? []
  if (name === undefined) return undefined
  const isPackage = !/^(?:[./]|[A-Za-z]:|file:)/.test(name)
  const hint = isPackage ? `Install it where the file lies: npm install ${name}` : 'Correct the path of the import.'
  return { problem: text, hint }
}

/** A file that the program itself reads, such as one with a password. */
function describeUse(error: unknown): LoadFailure | undefined {
  const failure = explainFile(error, 'read')
  const { path } = Object(error) as { path?: unknown }
  if (failure === undefined || typeof path !== 'string') return undefined
  return { problem: `it uses ${path}, which fails: ${failure.what} (${failure.reason})`, hint: failure.hint }
}

function hintOf(error: unknown): string | undefined {
  if (error instanceof SyntaxError || /^(?:\w*Error: )?(?:Unexpected|Parse)/.test(firstLine(error))) return undefined
  return 'The file throws that while it is loaded: correct it there.'
}

/** Further lines of a compiler's message may quote the file, which may hold passwords: of them only the place is told. */
function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const [first = '', ...others] = message.split('\n')
  const line = /:(\d+):\d+$/m.exec(others.join('\n'))?.[1]
  return line === undefined ? first : `${first.trim()} in line ${line}`
}
