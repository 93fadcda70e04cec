import type { Key } from '../../key/key.ts'

declare const kindOfKey: unique symbol

/**
 * A key whose entity is of the kind with this name, as far as the types know. It is a `Key` at run time; a plain `Key`
 * is taken in its place, a key of another kind is not.
 */
export type KindKey<Name extends string> = Key & { readonly [kindOfKey]?: Name | undefined }
