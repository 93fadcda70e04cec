import { spawn } from 'node:child_process'
import { inRoot, root } from './repository.ts'

/** How a command ended, and what it printed on both streams. */
export interface ToolResult {
  readonly exitCode: number
  readonly output: string
}

/** Runs a command and collects what it prints. Rejects if it cannot be started; one that a signal ends has exit code 1. */
export function runTool(command: string, args: readonly string[], cwd: string = root): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ exitCode: code ?? 1, output: Buffer.concat(chunks).toString() }))
  })
}

/** Runs a script of an installed package with Node.js, e.g. `typescript/bin/tsc`. */
export function runInstalled(script: string, args: readonly string[]): Promise<ToolResult> {
  return runTool(process.execPath, [inRoot('node_modules', script), ...args])
}
