import ts from 'typescript'

/** What the table of codes says about one code. */
export interface ErrorFacts {
  readonly meaning: string
  readonly hint: string
  readonly retryable: boolean
}

/** The fields of `details`, as TypeScript, by code. */
export type DetailFields = ReadonlyMap<string, readonly string[]>

const opening = `# Errors

Generated from \`src/errors.ts\` by \`npm run docs\`; do not edit it here.

Every failure that a program can tell apart is a \`HypervaultError\` with one of these codes in \`code\`. It also carries
typed \`details\`, the \`hint\` below (or a more exact one), \`retryable\`, and often a \`cause\`. \`isHypervaultError(error, code)\`
narrows the type. *Retryable* means: the same call may succeed later, and doing it again cannot store anything twice.

A bad argument is a \`TypeError\` or a \`RangeError\` at the call and has no code. An aborted wait rejects with the reason of
its signal.
`

/** The page of all error codes. */
export function renderErrorReference(table: Readonly<Record<string, ErrorFacts>>, fields: DetailFields): string {
  const entries = Object.entries(table)
  const sections = entries.map(([code, facts]) => renderEntry(code, facts, fields.get(code) ?? []))
  return [opening, renderOverview(entries), ...sections].join('\n')
}

function renderOverview(entries: readonly (readonly [string, ErrorFacts])[]): string {
  const rows = entries.map(
    ([code, { retryable }]) => `| [\`${code}\`](#${code.toLowerCase()}) | ${answer(retryable)} |`,
  )
  return ['| code | retryable |', '|---|---|', ...rows, ''].join('\n')
}

function renderEntry(code: string, { meaning, hint, retryable }: ErrorFacts, fields: readonly string[]): string {
  const details = fields.length === 0 ? 'none' : fields.map((field) => `\`${field}\``).join(', ')
  const lines = [`- **What to do:** ${hint}`, `- **Retryable:** ${answer(retryable)}`, `- **Details:** ${details}`]
  return [`## ${code}`, '', meaning, '', ...lines, ''].join('\n')
}

function answer(isTrue: boolean): string {
  return isTrue ? 'yes' : 'no'
}

/** Reads the fields of every code out of the interface `ErrorDetails` in a source text. */
export function readDetailFields(text: string): DetailFields {
  const source = ts.createSourceFile('errors.ts', text, ts.ScriptTarget.Latest, true)
  const details = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === 'ErrorDetails')
  if (details === undefined) throw new Error('bug: the source has no interface ErrorDetails')
  return new Map((details as ts.InterfaceDeclaration).members.flatMap(readCode))
}

function readCode(member: ts.TypeElement): [string, string[]][] {
  if (!ts.isPropertySignature(member) || member.type === undefined) return []
  const members = ts.isTypeLiteralNode(member.type) ? [...member.type.members] : []
  return [[member.name.getText(), members.map((field) => field.getText().replace(/\s+/g, ' ').replace(/;$/, ''))]]
}
