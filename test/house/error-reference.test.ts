import { expect, test } from 'vitest'
import { readDetailFields, renderErrorReference } from '../../scripts/house/error-reference.ts'

const source = `
  export interface ErrorDetails {
    HV_NONE: Record<never, never>
    HV_SOME: {
      serverId: string
      shardId?: number
      failures: { message: string }[]
    }
  }`

test('the fields of details are read from the interface, with their types', () => {
  expect([...readDetailFields(source)]).toEqual([
    ['HV_NONE', []],
    ['HV_SOME', ['serverId: string', 'shardId?: number', 'failures: { message: string }[]']],
  ])
})

test('a source without the interface is a bug, not an empty page', () => {
  expect(() => readDetailFields('export interface Other {}')).toThrow('ErrorDetails')
})

test('a code is shown with its meaning, what to do, whether to try again, and its details', () => {
  const table = { HV_SOME: { meaning: 'Something.', hint: 'Do it.', retryable: true } }
  const page = renderErrorReference(table, readDetailFields(source))
  expect(page).toContain('| [`HV_SOME`](#hv_some) | yes |')
  expect(page).toContain(`## HV_SOME

Something.

- **What to do:** Do it.
- **Retryable:** yes
- **Details:** \`serverId: string\`, \`shardId?: number\`, \`failures: { message: string }[]\`
`)
})

test('a code without details says so', () => {
  const table = { HV_NONE: { meaning: 'Nothing.', hint: 'Wait.', retryable: false } }
  const page = renderErrorReference(table, readDetailFields(source))
  expect(page).toContain('- **Retryable:** no\n- **Details:** none\n')
})
