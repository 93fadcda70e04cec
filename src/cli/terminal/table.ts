import Table from 'cli-table3'

/** A column: its head, and on which side its cells stand. */
export interface Column {
  readonly head: string
  readonly align: 'left' | 'right'
}

const noLines = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((place) =>
    ['', '-mid', '-left', '-right'].map((end) => [`${place}${end}`, '']),
  ),
)

/** Rows in columns, two spaces apart, without lines or colours: good to read and to cut. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align),
    chars: { ...noLines, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...rows.map((row) => [...row]))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
