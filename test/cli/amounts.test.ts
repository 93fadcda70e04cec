import { expect, test } from 'vitest'
import { formatBytes, formatCount, formatShards } from '../../src/cli/terminal/amounts.ts'
import { formatTable } from '../../src/cli/terminal/table.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 kB'],
  [250 * 1024 ** 2, '250 MB'],
  [5 * 1024 ** 6, '5120 PB'],
])('%d bytes are written %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test('counts have their thousands apart', () => {
  expect(formatCount(171_075)).toBe('171,075')
})

test('shards are written as runs with both ends, whatever their order', () => {
  expect(formatShards([9, 1, 3, 2, 5])).toBe('1-3, 5, 9')
  expect(formatShards([])).toBe('')
})

test('a table lines its columns up, wide characters too, and leaves no space at the ends of lines', () => {
  const columns = [
    { head: 'name', align: 'left' },
    { head: 'bytes', align: 'right' },
    { head: 'note', align: 'left' },
  ] as const
  const table = formatTable(columns, [
    ['東京', '12', ''],
    ['x', '1', 'small'],
  ])
  expect(table.split('\n')).toEqual(['name  bytes  note', '東京     12', 'x         1  small'])
})
