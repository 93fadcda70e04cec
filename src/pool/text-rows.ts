import type { CustomTypesConfig } from 'pg'

/** A row as the server sent it: text or null for each column. */
export type TextRow = readonly (string | null)[]

/** Type parsers for `pg` that leave every value as the text it came as. */
export const asText = { getTypeParser: () => (text: string) => text } as unknown as CustomTypesConfig
