import { Linter } from 'eslint'
import { expect, test } from 'vitest'
import { boundedWaits } from '../../scripts/house/bounded-waits.mjs'

function complaints(code: string, filename = '/src/fleet/some.js'): (string | undefined)[] {
  const config = {
    files: ['**/*.{js,ts}'],
    plugins: { house: boundedWaits },
    rules: { 'house/bounded-wait': 'error' as const },
  }
  return new Linter({ cwd: '/' }).verify(code, [config], { filename }).map(({ messageId }) => messageId)
}

test.each([
  ['a promise of its own', 'new Promise((resolve) => emitter.on("end", resolve))', 'promise'],
  ['a deferred one', 'const ended = deferred()', 'promise'],
  ['an event', 'once(child, "exit")', 'once'],
  ['a pause without a signal', 'import { setTimeout as sleep } from "node:timers/promises"', 'timer'],
  ['a connection', 'pool.acquire()', 'acquire'],
  ['a connection with other options', 'pool.acquire({ shardId })', 'acquire'],
  ['a statement of a client', 'client.query("select")', 'query'],
  ['a statement of a lent client', 'lease.client.query("select")', 'query'],
  ['a statement of a private client', 'class A { b() { return this.#client.query("select") } #client }', 'query'],
  ['a statement of a connection', 'this.connection.query("select")', 'query'],
])('%s is found when nothing bounds it', (_, code, messageId) => {
  expect(complaints(code)).toEqual([messageId])
  expect(complaints(`// This one is special.\n${code}`)).toEqual([messageId])
})

test.each([
  ['a comment above the statement', '// Bound: the timer.\nclient.query("select")'],
  ['a comment above the method', 'class A {\n// Bound: the timer.\nb() { return once(c, "exit") } }'],
  ['within()', 'await within(client.query("select"), { signal, timeoutMs }, onTimeout)'],
  ['a method that bounds', 'class A { #bounded() {} b() { return this.#bounded(() => this.client.query("select")) } }'],
  ['a signal', 'pool.acquire({ signal })'],
  ['a time-out', 'pool.acquire({ timeoutMs: 5 })'],
  ['a session, which has a bound for each statement', 'session.read({ text })'],
  ['the next turn of the event loop', 'import { setImmediate } from "node:timers/promises"'],
])('%s is enough', (_, code) => {
  expect(complaints(code)).toEqual([])
})

test('a comment above another method is not enough', () => {
  expect(complaints('class A {\n// Bound: the timer.\nb() {}\nc() { return once(d, "exit") } }')).toEqual(['once'])
})

test('only the pause itself may use the timer of Node.js', () => {
  const code = 'import { setTimeout as sleep } from "node:timers/promises"'
  expect(complaints(code, '/src/pool/pause.ts')).toEqual([])
  expect(complaints(code, '/src/pool/paused.ts')).toEqual(['timer'])
})
