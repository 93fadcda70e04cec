/** The part of a JSON report of vitest that is counted. */
export interface TestReport {
  readonly testResults?: readonly {
    status: string
    assertionResults: readonly { status: string }[]
    /** Path of the file. */
    name?: string
    /** Milliseconds since 1970. */
    startTime?: number
    endTime?: number
  }[]
}

/** Counts the passed and the failed tests of a report, failed files and failed steps included. */
export declare function countTests(
  report: TestReport | undefined,
  run: { readonly exitCode: number; readonly failedSteps: number },
): { passed: number; failed: number }

/** Lists the test files that took longest, slowest first, as lines. */
export declare function listSlowest(report: TestReport | undefined, count: number): string[]
