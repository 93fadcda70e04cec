/**
 * The hstore layer: the text form of hstore in both directions. Pure; it knows neither servers nor statements.
 *
 * Authoritative is what the functions `hstore_in` and `hstore_out` of PostgreSQL accept and print:
 *
 *     "key"=>"value", "other key"=>NULL
 *
 * - Keys and values are always quoted; inside the quotes only `"` and `\` are escaped, each by one backslash. `NULL`
 *   without quotes is the null value, `"NULL"` is a text of four letters. A body without pairs is the empty text.
 * - `encodeHstore` writes the pairs in the order of the object's keys. A server keeps them in an order of its own
 *   (by length, then by bytes) and prints them so; the order of the keys of a body means nothing.
 * - `decodeHstore` accepts what a server prints and nothing else. A text that is wrong is never repaired.
 * - What decodes, encodes: both refuse NUL and lone surrogates, which a database in UTF-8 cannot hold.
 * - Encoding is also the check of a body that comes from outside, so that there is one set of rules and one pass over
 *   the pairs. Each value is read once: a getter or a proxy cannot show one value to the check and send another.
 * - Values are secrets. Messages name keys, types, lengths and offsets, never a value or a part of a text.
 */

/** The content of an entity: text keys to text values or null. Keys may be empty; the order of keys means nothing. */
export type Body = Readonly<Record<string, string | null>>
