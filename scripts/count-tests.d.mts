/** The part of a JSON report of vitest that is counted. */
export interface TestReport {
  readonly testResults?: readonly { status: string; assertionResults: readonly { status: string }[] }[]
}

/** Counts the passed and the failed tests of a report, failed files and failed steps included. */
export declare function countTests(
  report: TestReport | undefined,
  run: { readonly exitCode: number; readonly failedSteps: number },
): { passed: number; failed: number }
