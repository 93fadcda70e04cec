/** One thing that `npm run check` looks at. It resolves to what is wrong, a line or a block of lines each. */
export interface Step {
  readonly name: string
  readonly findProblems: () => Promise<readonly string[]>
}

/** How a step ended. */
export interface Verdict {
  readonly name: string
  readonly problems: readonly string[]
  readonly tookMs: number
}

/** Runs one step. Never rejects: a step that throws has failed with that error. */
export async function judgeStep({ name, findProblems }: Step): Promise<Verdict> {
  const startedAt = performance.now()
  const problems = await findProblems().catch((error: unknown) => [String(error)])
  return { name, problems, tookMs: performance.now() - startedAt }
}

/** The line of a verdict, and below it what is wrong. */
export function describeVerdict({ name, problems, tookMs }: Verdict): string {
  const isGood = problems.length === 0
  const lines = problems.flatMap((problem) => problem.trimEnd().split('\n'))
  const seconds = `${(tookMs / 1000).toFixed(1)} s`
  return [
    `${isGood ? 'ok    ' : 'FAILED'} ${name.padEnd(8)} ${seconds}`,
    ...lines.map((line) => `       ${line}`),
  ].join('\n')
}

/** The steps with these names, all for none. Throws a RangeError that lists the names for one that is not there. */
export function selectSteps(steps: readonly Step[], names: readonly string[]): readonly Step[] {
  const known = steps.map(({ name }) => name)
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new RangeError(`no step ${unknown.join(', ')}: there are ${known.join(', ')}`)
  return names.length === 0 ? steps : steps.filter(({ name }) => names.includes(name))
}
