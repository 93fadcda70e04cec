const MASK = '***'

/** Shorter ones would mask every other word; where they can stand is covered by the patterns. */
const MIN_SECRET_LENGTH = 4

/** User and password of a URL; the password ends at the last `@` before the host ends. */
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s]*@/gi

/** `password=…`, `"password": "…"`, `passwd: '…'`. */
const NAMED_PASSWORD =
  /((?:password|passwd|pwd|passphrase)["']?\s*[=:]\s*)(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s&,;}'"]+)/gi

/** Takes passwords out of everything that is not data: the known ones, and what stands where a password stands. */
export class Redactor {
  #secrets: readonly string[] = []

  /** Remembers texts that must never be printed. */
  add(secrets: readonly string[]): void {
    const longEnough = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    this.#secrets = [...this.#secrets, ...longEnough].sort((a, b) => b.length - a.length)
  }

  redact(text: string): string {
    const withoutKnown = this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), text)
    return withoutKnown.replace(URL_PASSWORD, `$1:${MASK}@`).replace(NAMED_PASSWORD, `$1${MASK}`)
  }
}
